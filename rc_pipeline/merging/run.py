"""Merge what a run learnt into its base model as a spec says: `merge(spec, progress)`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.outcome import JSON, Outcome

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from rc_pipeline.merging.logits import Probe
    from rc_pipeline.prompting.dialogue import Form
    from rc_pipeline.worker import Progress


def merge(spec: dict[str, Any], progress: Progress) -> Outcome:
    """Write a folder that plain transformers loads into spec["out"], and hold it against the run."""
    from rc_pipeline.merging.answers import answer_checks
    from rc_pipeline.merging.card import write_card
    from rc_pipeline.merging.logits import logits_check, read_probes, said_about
    from rc_pipeline.merging.prompts import prompt_check
    from rc_pipeline.merging.weights import open_weights
    from rc_pipeline.models.families import ENCODER_DECODERS
    from rc_pipeline.models.loading import adapter_prompt, load_tokenizer, use_threads
    from rc_pipeline.prompting.reading import read_prompt

    out, scratch = Path(spec["out"]), Path(spec["scratch"]) / "asked"
    out.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(scratch, ignore_errors=True)
    use_threads(spec.get("threads"))
    base, adapter, family = Path(spec["base"]["folder"]), Path(spec["adapter"]), spec["base"]["family"]
    tokenizer = load_tokenizer(base)
    form = read_prompt(adapter_prompt(adapter), tokenizer, ends_prompt=family in ENCODER_DECODERS)
    probes = [probe for asked in spec["asked"] for probe in read_probes(asked, tokenizer, form)]
    rows = [probe.row for probe in probes]
    model = open_weights(base, family, adapter)
    tuned, untuned = said_about(model, probes), said_about(open_weights(base, family), probes)
    progress.note(f"{spec['run']}: what it says of {len(probes)} prompts is known; writing {spec['dtype']} weights")
    figures = _publish(spec, model, tokenizer, form, probes)
    del model
    readme = write_card(spec, form, figures)
    progress.note(f"{spec['run']}: written; comparing it with the run")
    checks = [
        logits_check(out, probes, tuned=tuned, untuned=untuned, dtype=spec["dtype"]),
        prompt_check(out, form, tokenizer, rows),
    ]
    more, answered = answer_checks(spec, scratch, progress)
    return Outcome(metadata={**figures, **answered, "card": {"markdown": readme}}, checks=(*checks, *more))


def _publish(
    spec: Mapping[str, Any], model: Any, tokenizer: PreTrainedTokenizerFast, form: Form, probes: Sequence[Probe]
) -> dict[str, JSON]:
    """Write weights, config and tokenizer, and return their size in figures."""
    from rc_pipeline.merging.folder import copy_licenses, write_config, write_generation, write_tokenizer
    from rc_pipeline.merging.prompts import fitting_chat_text
    from rc_pipeline.merging.weights import Merged, whole_model
    from rc_pipeline.prompting.tokens import TextEncoder

    out, base, dtype = Path(spec["out"]), Path(spec["base"]["folder"]), spec["dtype"]
    merged = Merged(model)
    files = merged.write(out, dtype)
    write_config(
        whole_model(Path(spec["adapter"])) or base,
        out,
        architecture=type(merged.base).__name__,
        dtype=dtype,
        unties=merged.unties,
    )
    eos = int(tokenizer.eos_token_id)
    write_generation(
        out,
        merged.base,
        [TextEncoder(tokenizer, form).end_id, eos],
        pad_id=eos if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id),
        max_new_tokens=max(one["prediction"]["answer"]["max_new_tokens"] for one in spec["asked"]),
    )
    chat_text = fitting_chat_text(form, tokenizer, [probe.row for probe in probes])
    write_tokenizer(base, out, tokenizer, chat_text, spec["context_tokens"])
    copy_licenses(base, out)
    return {
        "parameters": merged.count,
        "dtype": dtype,
        "gigabytes": round(sum((out / name).stat().st_size for name in files) / 1e9, 3),
        "files": len(files),
    }
