"""Tune an adapter as a spec says: `train(spec, progress)`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.canonical import sha256_json
from rc_pipeline.lake.outcome import JSON, Check, Outcome

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from rc_pipeline.training.examples import Examples
    from rc_pipeline.training.loop import Journal, Trainer
    from rc_pipeline.worker import Progress

# What decides the weights; the rest of a spec says where files go and how many cores work.
DECIDING = ("base", "prompt", "tune", "context_tokens", "seed")


def train(spec: dict[str, Any], progress: Progress) -> Outcome:
    """Train the adapter of a spec into spec["out"], going on from a checkpoint in spec["scratch"] if there is one."""
    from rc_pipeline.models.loading import load_tokenizer, use_threads
    from rc_pipeline.training.checkpoints import sweep

    started = time.monotonic()
    out, scratch = Path(spec["out"]), Path(spec["scratch"])
    out.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(parents=True, exist_ok=True)
    sweep(scratch)
    tokenizer = load_tokenizer(Path(spec["base"]["folder"]))
    examples = _examples(spec, tokenizer)
    _be_deterministic()
    use_threads(spec.get("threads"))
    trainer = _trainer(spec, examples, tokenizer, scratch)
    progress.note(f"{len(examples.encoded)} examples, {len(trainer.batches)} steps, ready")
    ready = time.monotonic()
    journal = trainer.run(progress, progress.note)
    trained = time.monotonic()
    checks = [_loss_is_finite(journal), _spans_are_exact(examples)]
    checks += _write(spec, out, trainer, examples, journal)
    own_tokens = sum(line["tokens"] for line in journal.lines)
    return Outcome(
        metadata={
            **_figures(trainer, examples, journal),
            "startup_seconds": round(ready - started, 1),
            "training_seconds": round(trained - ready, 1),
            "tokens_per_second": round(own_tokens / max(1e-9, trained - ready)),
            "resumed_at_step": journal.resumed_at,
            "loss_curve": {"image": "_loss.png"},
            "first_example": {"markdown": _fenced(examples.first_prompt)},
        },
        checks=tuple(checks),
    )


def _examples(spec: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast) -> Examples:
    from rc_pipeline.prompting.reading import read_prompt
    from rc_pipeline.training.examples import encode_examples, select_rows

    prompt = read_prompt(spec["prompt"], tokenizer)
    rows, figures = select_rows(spec["train"], **spec["mixture"])
    return encode_examples(
        rows,
        figures,
        tokenizer,
        prompt,
        max_tokens=min(spec["tune"]["max_tokens"], spec["context_tokens"]),
        loss_on=spec["tune"]["loss_on"],
        shots=spec["shots"],
    )


def _be_deterministic() -> None:
    # cuBLAS reads this once, when the first GPU context is made.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    # The same as use_deterministic_algorithms(True, warn_only=True), which imports the compiler for half a second.
    torch.set_deterministic_debug_mode("warn")


def _trainer(spec: Mapping[str, Any], examples: Examples, tokenizer: PreTrainedTokenizerFast, scratch: Path) -> Trainer:
    from rc_pipeline.models.loading import load_model
    from rc_pipeline.training.adapter import add_adapter
    from rc_pipeline.training.batches import plan_batches
    from rc_pipeline.training.checkpoints import Checkpoints
    from rc_pipeline.training.loop import STEPS_BETWEEN_CHECKPOINTS, Schedule, Trainer

    tune, base, seed = spec["tune"], spec["base"], int(spec["seed"])
    model = load_model(Path(base["folder"]), family=base["family"], quantised=tune["method"] == "qlora")
    batches = plan_batches(
        [len(example.ids) for example in examples.encoded],
        batch_size=tune["batch_size"],
        epochs=tune["epochs"],
        seed=seed,
    )
    micro_batch_tokens = _fit_into_memory(model, longest=max(len(example.ids) for example in examples.encoded))
    identity = sha256_json({key: spec[key] for key in DECIDING} | {"examples": examples.identity()})
    return Trainer(
        model=add_adapter(model, tune, seed=seed),
        pad_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
        examples=examples.encoded,
        batches=batches,
        schedule=Schedule(len(batches), tune["learning_rate"], tune["warmup"]),
        seed=seed,
        weight_decay=tune["weight_decay"],
        max_grad_norm=tune["max_grad_norm"],
        checkpoints=Checkpoints(scratch, identity),
        checkpoint_steps=int(spec.get("checkpoint_steps", STEPS_BETWEEN_CHECKPOINTS)),
        micro_batch_tokens=micro_batch_tokens,
    )


def _fit_into_memory(model: Any, longest: int) -> int:
    """Return the tokens of one forward pass; a GPU that cannot hold one row's activations computes them twice."""
    from rc_pipeline.training.loop import MICRO_BATCH_TOKENS, tokens_that_fit

    if model.device.type == "cpu":
        return MICRO_BATCH_TOKENS
    import torch

    free_bytes, _ = torch.cuda.mem_get_info(model.device)
    size = model.config
    tokens = tokens_that_fit(free_bytes, layers=size.num_hidden_layers, width=size.hidden_size)
    if tokens >= longest:
        return tokens
    model.activation_checkpointing_enable()
    return longest


def _write(spec: Mapping[str, Any], out: Path, trainer: Trainer, examples: Examples, journal: Journal) -> list[Check]:
    from rc_pipeline.training.adapter import check_adapter, save_adapter
    from rc_pipeline.training.curve import draw, thin

    base_name = str(spec["base"].get("name", spec["base"]["family"]))
    save_adapter(trainer.model, out, base_name=base_name)
    _write_json(out / "prompt.json", examples.prompt)
    figures = _figures(trainer, examples, journal)
    _write_json(
        out / "training.json",
        {key: figures[key] for key in ("steps", "examples", "tokens")}
        | {"loss": [[step, loss] for step, loss in thin(journal.losses)]},
    )
    draw(journal.losses, out / "_loss.png", base_name)
    log = "".join(json.dumps(line) + "\n" for line in journal.lines)
    (out / "_log.jsonl").write_text(log, encoding="utf-8")
    return check_adapter(trainer.model, out, examples.encoded[0])


def _figures(trainer: Trainer, examples: Examples, journal: Journal) -> dict[str, JSON]:
    weights = sum(weight.numel() for weight in trainer.weights.values())
    last = journal.losses[-max(1, len(journal.losses) // 20) :]
    return {
        "steps": len(journal.losses),
        "examples": len(examples.encoded),
        "tokens": sum(trainer.lengths[i] for batch in trainer.batches for i in batch),
        **examples.figures,
        "trained_weights": weights,
        "final_loss": round(sum(last) / len(last), 4),
    }


def _loss_is_finite(journal: Journal) -> Check:
    # The loop stops at the first loss that is no number, so whoever gets here has passed.
    metadata: dict[str, JSON] = {"first": round(journal.losses[0], 4), "last": round(journal.losses[-1], 4)}
    return Check("loss_is_finite", passed=True, description="The loss of every step is a number.", metadata=metadata)


def _spans_are_exact(examples: Examples) -> Check:
    metadata: dict[str, JSON] = {"checked": len(examples.outputs), "inexact": len(examples.inexact)}
    if examples.inexact:
        metadata["first_inexact_output"] = examples.inexact[0]
    return Check(
        "supervised_spans_are_exact",
        passed=not examples.inexact,
        description="What the loss is taken on decodes to the output and its end, nothing more or less, in every row.",
        metadata=metadata,
    )


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _fenced(text: str) -> str:
    fence = "`" * (max((len(run) for run in text.split() if set(run) == {"`"}), default=2) + 1)
    return f"{fence}\n{text}\n{fence}"
