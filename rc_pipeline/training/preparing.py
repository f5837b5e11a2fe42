"""All that a training needs before its first step: examples, batches, the model in memory, what is learned of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.canonical import sha256_json
from rc_pipeline.training.parallel import ALONE, Group

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

    from rc_pipeline.prompting.encoding import Encoded
    from rc_pipeline.training.examples import Examples
    from rc_pipeline.training.loop import Trainer
    from rc_pipeline.training.objective import Objective

# What decides the weights; the rest of a spec says where files go and how many cores work.
DECIDING = ("base", "prompt", "tune", "context_tokens", "seed")


def read_examples(spec: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast) -> tuple[Examples, Examples | None]:
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


def be_deterministic() -> None:
    """Have the same spec make the same weights on the same machine."""
    # cuBLAS reads this once, when the first GPU context is made.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    # The same as use_deterministic_algorithms(True, warn_only=True), which imports the compiler for half a second.
    torch.set_deterministic_debug_mode("warn")
    # That mode also fills memory that nobody reads before it is written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def prepare(  # noqa: PLR0913, PLR0917
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
