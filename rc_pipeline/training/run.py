"""Tune a model as a spec says: `train(spec, progress)`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.outcome import JSON, Check, Outcome
from rc_pipeline.training.preparing import be_deterministic, prepare, read_examples

if TYPE_CHECKING:
    import torch

    from rc_pipeline.training.examples import Examples
    from rc_pipeline.training.loop import Journal, Trainer
    from rc_pipeline.worker import Progress


def train(spec: dict[str, Any], progress: Progress) -> Outcome:
    """Train what a spec says into spec["out"], going on from a checkpoint in spec["scratch"] if there is one."""
    from peft.helpers import disable_input_dtype_casting

    from rc_pipeline.models.loading import best_device, load_tokenizer, use_threads
    from rc_pipeline.training.checkpoints import sweep
    from rc_pipeline.training.parallel import join, leave
    from rc_pipeline.training.tracking import run_tracked

    started = time.monotonic()
    out, scratch = Path(spec["out"]), Path(spec["scratch"])
    out.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(parents=True, exist_ok=True)
    tokenizer = load_tokenizer(Path(spec["base"]["folder"]))
    examples, held_out = read_examples(spec, tokenizer)
    be_deterministic()
    use_threads(spec.get("threads"))
    group = join(best_device())
    if group.leads:
        sweep(scratch)
    trainer, untrained = prepare(spec, examples, held_out, tokenizer, scratch, group)
    progress.note(f"{len(examples.encoded)} examples, {len(trainer.batches)} steps, ready")
    ready = time.monotonic()
    # PEFT would write every input out in fp32, which autocast takes back, and keep a copy for each product.
    with disable_input_dtype_casting(trainer.model, active=trainer.objective.bf16):
        journal = run_tracked(spec, trainer, progress, lambda journal: _figures(trainer, examples, journal))
    trained = time.monotonic()
    checks = [_loss_is_finite(journal), _spans_are_exact(examples)]
    checks += _saved_and_checked(spec, trainer, examples, journal, untrained)
    leave(group)
    own_tokens = sum(line["tokens"] for line in journal.lines)
    return Outcome(
        metadata={
            "loss_curve": {"image": "_loss.png"},
            **_figures(trainer, examples, journal),
            "startup_seconds": round(ready - started, 1),
            "training_seconds": round(trained - ready, 1),
            "tokens_per_second": round(own_tokens / max(1e-9, trained - ready)),
            "resumed_at_step": journal.resumed_at,
            "first_example": {"markdown": _fenced(examples.first_prompt)},
        },
        checks=tuple(checks),
    )


def _saved_and_checked(
    spec: Mapping[str, Any], trainer: Trainer, examples: Examples, journal: Journal, untrained: torch.Tensor
) -> list[Check]:
    """Let the leading process write everything, and check that the weights hold when they are read back."""
    from rc_pipeline.training.adapter import check_spread_weights, check_weights, save_weights

    out, base, group, probe = Path(spec["out"]), spec["base"], trainer.group, examples.encoded[0]
    whole = group.gathered(trainer.weights) if group.sharded else None
    if group.leads:
        save_weights(trainer.model, out, base, whole)
        _write(spec, out, trainer, examples, journal)
    if group.sharded:
        group.wait()
        return check_spread_weights(trainer.model, out, trainer.weights, probe, untrained)
    return check_weights(trainer.model, out, base, probe, untrained) if group.leads else []


def _write(spec: Mapping[str, Any], out: Path, trainer: Trainer, examples: Examples, journal: Journal) -> None:
    from rc_pipeline.training.curve import draw, thin
    from rc_pipeline.training.events import write_events

    _write_json(out / "prompt.json", examples.prompt)
    figures = _figures(trainer, examples, journal)
    measured = {"held_out_loss": [[step, round(loss, 4)] for step, loss in journal.evaluations]}
    _write_json(
        out / "training.json",
        {key: figures[key] for key in ("steps", "examples", "tokens")}
        | {"loss": [[step, loss] for step, loss in thin(journal.losses)]}
        | (measured if journal.evaluations else {}),
    )
    draw(journal.losses, out / "_loss.png", str(spec["base"].get("name", spec["base"]["family"])), journal.evaluations)
    log = "".join(json.dumps(line) + "\n" for line in journal.lines)
    (out / "_log.jsonl").write_text(log, encoding="utf-8")
    rates = [(step, trainer.schedule.rate(step - 1)) for step in range(1, len(journal.losses) + 1)]
    curves = {"loss": enumerate(journal.losses, 1), "learning_rate": rates, "held_out_loss": journal.evaluations}
    write_events(out / "_events.out.tfevents", curves, time=time.time())


def _figures(trainer: Trainer, examples: Examples, journal: Journal) -> dict[str, JSON]:
    from rc_pipeline.training.held_out import best

    weights = sum(weight.numel() for weight in trainer.weights.values())
    last = journal.losses[-max(1, len(journal.losses) // 20) :]
    figures: dict[str, JSON] = {
        "steps": len(journal.losses),
        "examples": len(examples.encoded),
        "tokens": sum(trainer.lengths[i] for batch in trainer.batches[: len(journal.losses)] for i in batch),
        **examples.figures,
        "trained_weights": weights,
        "final_loss": round(sum(last) / len(last), 4),
    }
    if journal.evaluations:
        step, loss = best(journal.evaluations) if trainer.best else journal.evaluations[-1]
        figures |= {"held_out_loss": round(loss, 4), "held_out_loss_at_step": step}
    return figures


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
