"""Tune a model as a spec says: `train(spec, progress)`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.canonical import sha256_json
from rc_pipeline.lake.outcome import JSON, Check, Outcome
from rc_pipeline.training.parallel import ALONE, Group

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

    from rc_pipeline.prompting.encoding import Encoded
    from rc_pipeline.training.examples import Examples
    from rc_pipeline.training.loop import Journal, Trainer
    from rc_pipeline.training.objective import Objective
    from rc_pipeline.worker import Progress

# What decides the weights; the rest of a spec says where files go and how many cores work.
DECIDING = ("base", "prompt", "tune", "context_tokens", "seed")


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
    examples, held_out = _examples(spec, tokenizer)
    _be_deterministic()
    use_threads(spec.get("threads"))
    group = join(best_device())
    if group.leads:
        sweep(scratch)
    trainer, untrained = _trainer(spec, examples, held_out, tokenizer, scratch, group)
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


def _examples(spec: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast) -> tuple[Examples, Examples | None]:
    """Return what is trained on, and what is held out."""
    from rc_pipeline.models.families import ENCODER_DECODERS
    from rc_pipeline.prompting.reading import read_prompt
    from rc_pipeline.training.examples import encode_examples, select_rows
    from rc_pipeline.training.held_out import hold_out
    from rc_pipeline.training.methods import virtual_tokens

    tune = spec["tune"]
    prompt = read_prompt(spec["prompt"], tokenizer, ends_prompt=spec["base"]["family"] in ENCODER_DECODERS)
    rows, figures = select_rows(spec["train"], **spec["mixture"])
    options = {
        "max_tokens": min(tune["max_tokens"], spec["context_tokens"] - virtual_tokens(tune)),
        "loss_on": "everything" if tune["loss_on"] == "weighted" else tune["loss_on"],
        "shots": spec["shots"],
    }
    if not tune.get("eval_share"):
        return encode_examples(rows, figures, tokenizer, prompt, **options), None
    rows, held = hold_out(rows, tune["eval_share"])
    measured = encode_examples(held, {}, tokenizer, prompt, **options)
    figures |= {"held_out": len(measured.encoded), "held_out_dropped": held.height - len(measured.encoded)}
    return encode_examples(rows, figures, tokenizer, prompt, **options), measured


def _be_deterministic() -> None:
    # cuBLAS reads this once, when the first GPU context is made.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    # The same as use_deterministic_algorithms(True, warn_only=True), which imports the compiler for half a second.
    torch.set_deterministic_debug_mode("warn")
    # That mode also fills memory that nobody reads before it is written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _trainer(  # noqa: PLR0913, PLR0917
    spec: Mapping[str, Any],
    examples: Examples,
    held_out: Examples | None,
    tokenizer: PreTrainedTokenizerFast,
    scratch: Path,
    group: Group = ALONE,
) -> tuple[Trainer, torch.Tensor]:
    """Return all that is ready to train, and what the model says before."""
    from rc_pipeline.training.batches import plan_batches
    from rc_pipeline.training.checkpoints import STEPS_BETWEEN_CHECKPOINTS, Checkpoints
    from rc_pipeline.training.held_out import HeldOut
    from rc_pipeline.training.loop import Schedule, Trainer

    tune, seed = spec["tune"], int(spec["seed"])
    lengths = [len(example.ids) for example in examples.encoded]
    batches = plan_batches(lengths, batch_size=tune["batch_size"], epochs=tune["epochs"], seed=seed)
    group = replace(group, sharded=_spreads(spec, group, examples))
    model, untrained, micro_batch_tokens = _model(spec, group, examples.encoded)
    rows = [each.identity() for each in (examples, held_out) if each is not None]
    identity = sha256_json({key: spec[key] for key in DECIDING} | {"examples": rows})
    checkpoints = Checkpoints(scratch, identity, writes=group.leads)
    trainer = Trainer(
        model=model,
        objective=_objective(tune, tokenizer, model),
        examples=examples.encoded,
        batches=batches,
        schedule=Schedule(len(batches), tune["learning_rate"], tune["warmup"]),
        seed=seed,
        weight_decay=tune["weight_decay"],
        max_grad_norm=tune["max_grad_norm"],
        checkpoints=checkpoints,
        checkpoint_steps=int(spec.get("checkpoint_steps", STEPS_BETWEEN_CHECKPOINTS)),
        micro_batch_tokens=min(micro_batch_tokens, checkpoints.remembered_tokens() or micro_batch_tokens),
        held_out=HeldOut(held_out.encoded if held_out else (), tune.get("patience")),
        group=group,
    )
    return trainer, untrained


def _spreads(spec: Mapping[str, Any], group: Group, examples: Examples) -> bool:
    """Say whether the model is spread over the processes: if it is wished, or else if one GPU could not hold it."""
    import torch

    from rc_pipeline.training.forecast import forecast
    from rc_pipeline.training.parallel import SHARDABLE
    from rc_pipeline.training.shapes import ShapeUnknown, read_shape

    if group.size == 1 or spec["tune"]["method"] not in SHARDABLE:
        return False
    if spec.get("sharded") is not None or not torch.cuda.is_available():
        return bool(spec.get("sharded"))
    try:
        shape = read_shape(json.loads((Path(spec["base"]["folder"]) / "config.json").read_text(encoding="utf-8")))
    except ShapeUnknown:
        return False
    longest = max(len(example.ids) for example in examples.encoded)
    labels = max(len(example.ids) - example.masked for example in examples.encoded)
    needed = forecast(shape, spec["tune"], tokens=longest, labels=labels, checkpointing=True).total
    return needed > group.smallest(torch.cuda.mem_get_info()[1], torch.device("cuda"))


def _model(spec: Mapping[str, Any], group: Group, examples: Sequence[Encoded]) -> tuple[Any, torch.Tensor, int]:
    """Return the model with what is trained in it, what it said before, and how many tokens it takes at a time."""
    from rc_pipeline.models.loading import best_device
    from rc_pipeline.training.adapter import probe_logits
    from rc_pipeline.training.memory import fit_into_memory
    from rc_pipeline.training.methods import add_weights, load_base
    from rc_pipeline.training.parallel import spread

    base, tune, seed = spec["base"], spec["tune"], int(spec["seed"])
    if not group.sharded:
        model = load_base(base, tune)
        untrained = probe_logits(model, examples[0])
        tokens = fit_into_memory(model, tune, examples, group, bf16=_in_bf16(tune, model))
        return add_weights(model, tune, seed=seed), untrained, tokens
    with group.in_turn():
        model = spread(add_weights(load_base(base, tune, device="cpu"), tune, seed=seed), group, best_device())
    # Low-rank matrices begin with a product of zero, so that nothing has changed yet.
    untrained = probe_logits(model, examples[0])
    group.take_apart(model)
    tokens = fit_into_memory(model, tune, examples, group, bf16=_in_bf16(tune, model))
    return model, untrained, group.smallest(tokens, untrained.device)


def _objective(tune: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast, model: Any) -> Objective:
    from rc_pipeline.training.encoder_decoder import AnswerObjective
    from rc_pipeline.training.methods import virtual_tokens
    from rc_pipeline.training.objective import Objective

    return (AnswerObjective if model.config.is_encoder_decoder else Objective)(
        pad_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
        label_smoothing=tune.get("label_smoothing", 0.0),
        neftune_alpha=tune.get("neftune_alpha"),
        prompt_weight=tune["prompt_loss_weight"] if tune["loss_on"] == "weighted" else None,
        packing=tune.get("packing", False),
        bf16=_in_bf16(tune, model),
        # A prefix is keys and values, which have no logits.
        tokens_in_front=virtual_tokens(tune) if tune["method"] == "prompt" else 0,
    )


def _in_bf16(tune: Mapping[str, Any], model: Any) -> bool:
    precision = tune.get("precision", "auto")
    return bool(precision == "bf16" or (precision == "auto" and model.device.type == "cuda"))


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
