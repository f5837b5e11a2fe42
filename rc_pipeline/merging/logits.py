"""Real prompts of a run, and whether a published folder says about them what the run's model says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.outcome import Check
from rc_pipeline.merging.float32 import in_float32
from rc_pipeline.merging.weights import MergeError
from rc_pipeline.worker import beat

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

    from rc_pipeline.prompting.dialogue import Form

PROBES = 4
PROMPT_TOKENS = 512
# The last places of a text are enough to tell models apart; whole ones of large vocabularies fill gigabytes.
PLACES = 32
# The most that rounding may change logits, as a share of how far they are spread.
TOLERANCE = {"fp32": 1e-4, "fp16": 0.01, "bf16": 0.08}


@dataclass(frozen=True)
class Probe:
    """One question that the run was asked: its row, the ids of its prompt, and those of the run's answer."""

    row: Mapping[str, Any]
    prompt: list[int]
    answer: list[int]


def read_probes(asked: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast, form: Form) -> list[Probe]:
    """Return the first questions of an evaluation set that the prompt holds."""
    import polars as pl

    from rc_pipeline.instructions.shots import with_shots
    from rc_pipeline.prediction.questions import select_rows
    from rc_pipeline.prompting.encoding import Encoded, encode_each
    from rc_pipeline.prompting.tokens import TextEncoder

    spec = asked["prediction"]
    taken = list(with_shots(select_rows(spec["instructions"], PROBES), spec.get("shots")))
    encoded = encode_each(taken, tokenizer, form, max_tokens=spec["context_tokens"], with_answer=False)
    answers = dict(pl.read_parquet(asked["predictions"], columns=["instruction_id", "answer"]).iter_rows())
    write = TextEncoder(tokenizer, form).answers
    found = [
        Probe(row, list(prompt.ids), write([answers.get(row["instruction_id"]) or ""])[0])
        for row, prompt in zip(taken, encoded, strict=True)
        if isinstance(prompt, Encoded)
    ]
    if not found:
        raise MergeError(
            f"{spec['eval_set']}: none of its first {PROBES} questions fits into the prompt. "
            "Raise answer.max_tokens of the run, or shorten the template."
        )
    return found


def said_about(model: Any, probes: Sequence[Probe]) -> torch.Tensor:
    """Return the logits at the end of every probe, computed in float32 whatever the model is held in."""
    import torch

    told = []
    with torch.no_grad(), in_float32(model):
        for probe in probes:
            beat()
            read, written = probe.prompt[-PROMPT_TOKENS:], probe.answer[:-1]
            if model.config.is_encoder_decoder:
                start = torch.tensor([[model.config.decoder_start_token_id, *written]])
                logits = model(input_ids=torch.tensor([read]), decoder_input_ids=start, use_cache=False).logits
            else:
                ids = torch.tensor([[*read, *written][-PROMPT_TOKENS:]])
                logits = model(input_ids=ids, logits_to_keep=PLACES, use_cache=False).logits
            told.append(logits[0, -PLACES:])
    return torch.cat(told)


def logits_check(
    folder: Path, probes: Sequence[Probe], *, tuned: torch.Tensor, untuned: torch.Tensor, dtype: str
) -> Check:
    """Compare a published folder, as plain transformers loads it, with the tuned model and with its base."""
    plain = _plain_class(folder).from_pretrained(str(folder), dtype="auto", local_files_only=True)
    published = said_about(plain.eval(), probes)
    spread = (tuned - tuned.mean(dim=-1, keepdim=True)).square().mean().sqrt()
    off, learnt = (((other - tuned).square().mean().sqrt() / spread).item() for other in (published, untuned))
    return Check(
        "published_logits_equal_the_run",
        passed=off <= TOLERANCE[dtype] and off < learnt,
        description=f"On real prompts, plain transformers gets the run's logits within {TOLERANCE[dtype]} of their "
        "spread, and nearer to them than the base model's are.",
        metadata={"difference": off, "difference_of_the_base": learnt, "prompts": len(probes)},
    )


def _plain_class(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return AutoModelForSeq2SeqLM if config.get("is_encoder_decoder") else AutoModelForCausalLM
