"""What memory a training takes, before anything of it is loaded: from the sizes in config.json and `tune`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rc_pipeline.training.shapes import Product, Shape

# nf4 has four bits a weight, a scale of eight bits for 64 of them, and one of 32 bits for 256 scales.
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
FP32 = 4
# Gradient and the two moments of AdamW, beside a weight that is trained in fp32.
STATE_BYTES = 3 * FP32
# A logit in the model's precision is followed by itself, its probability and its gradient in fp32.
LOGIT_BYTES = 3 * FP32
# The CUDA context with its kernels, cuBLAS's workspace, and what the allocator rounds up.
GPU_OVERHEAD = 700_000_000
# What a pair of positions takes in every head where attention weights are dropped: a CPU writes them all out.
PAIR_BYTES = 12
LOW_RANK = ("lora", "qlora", "lora_8bit")


@dataclass(frozen=True)
class Forecast:
    """Bytes at the worst moment of a training step, on each GPU."""

    weights: int
    # Trained weights beside them, gradients, and the optimiser's moments.
    trained: int
    activations: int
    # The most that is needed at a time beside these: for the logits, or for the way back through a layer.
    passing: int
    overhead: int

    @property
    def total(self) -> int:
        """Return the sum."""
        return sum(asdict(self).values())


def forecast(  # noqa: PLR0913
    shape: Shape,
    tune: Mapping[str, Any],
    *,
    tokens: int,
    labels: int,
    row_tokens: int | None = None,
    bf16: bool = True,
    checkpointing: bool | None = None,
    shards: int = 1,
    overhead: int = GPU_OVERHEAD,
) -> Forecast:
    """Return what passes of `tokens` tokens, `labels` of them learned, take with weights spread over `shards` GPUs.

    A pass is of rows of `row_tokens` tokens, one row if that is left out.
    """
    again = bool(tune.get("gradient_checkpointing")) if checkpointing is None else checkpointing
    trained = trained_weights(shape, tune)
    states = trained * STATE_BYTES
    if tune["method"] != "full":
        states += trained * FP32
    if tune.get("patience"):
        states += trained * FP32
    gathered = 0 if shards == 1 else 2 * _largest_layer(shape) * (2 if bf16 else 4)
    kept, passing = activation_bytes(shape, tune, row_tokens=row_tokens or tokens, bf16=bf16, checkpointing=again)
    return Forecast(
        weights=base_bytes(shape, tune, bf16=bf16) // shards + gathered,
        trained=states // shards,
        activations=tokens * kept,
        passing=max(tokens * passing, labels * logit_bytes(shape, bf16=bf16)) + _copied_weights(shape, tune, bf16=bf16),
        overhead=overhead,
    )


def base_bytes(shape: Shape, tune: Mapping[str, Any], *, bf16: bool) -> int:
    """Return what the base model's weights take in the precision that a method holds them in."""
    whole = FP32 if tune["method"] == "full" or not bf16 else 2
    of_a_layer = {"qlora": NF4_BYTES, "lora_8bit": 1.0}.get(tune["method"], whole)
    # T5's last product of a layer is kept out of the quantised ones, for what goes through it is too large.
    apart = sum(one.inputs * one.outputs * one.count for one in shape.products if one.path == "DenseReluDense.wo")
    return round((shape.layer_weights - apart) * of_a_layer + (shape.other_weights + apart) * whole)


def trained_weights(shape: Shape, tune: Mapping[str, Any]) -> int:
    """Return how many weights a method trains."""
    match tune["method"]:
        case "full":
            return shape.layer_weights + shape.other_weights
        case "prompt":
            return int(tune["virtual_tokens"]) * shape.width
        case "prefix":
            return int(tune["virtual_tokens"]) * shape.layers * 2 * shape.kv_width
    columns = 1 if tune.get("dora") else 0
    return sum(
        product.count * (int(tune["rank"]) * (product.inputs + product.outputs) + columns * product.outputs)
        for product in _targets(shape, tune)
    )


def logit_bytes(shape: Shape, *, bf16: bool) -> int:
    """Return what the logits of one position take."""
    return shape.vocabulary * (LOGIT_BYTES + (2 if bf16 else 0))


def activation_bytes(
    shape: Shape, tune: Mapping[str, Any], *, row_tokens: int, bf16: bool, checkpointing: bool
) -> tuple[int, int]:
    """Return what a token leaves behind for the backward pass, and what that pass needs beside it at a time."""
    size = 2 if bf16 else 4
    a_layer = _kept_in_a_layer(shape, tune, row_tokens, size)
    passing = size * (4 * shape.inner + 2 * shape.width) + FP32 * 3 * shape.width
    if shape.kind == "t5" and tune["method"] == "prefix":
        # Its keys and values are the decoder's; nothing is trained that an encoder's activations were kept for.
        return 0, a_layer + passing
    if checkpointing:
        return shape.layers * size * shape.width, a_layer + passing
    return shape.layers * a_layer, passing


def _kept_in_a_layer(shape: Shape, tune: Mapping[str, Any], row_tokens: int, size: int) -> int:
    width, inner, full = shape.width, shape.inner, tune["method"] == "full"
    # Inputs of products are kept where what is multiplied with them is trained.
    numbers = 2 * width + inner if tune["method"] in LOW_RANK or full else 0
    numbers += 2 * shape.query_width + 2 * shape.kv_width
    if tune.get("dora"):
        numbers += 2 * sum(one.outputs for one in _targets(shape, tune) if not one.path.startswith("EncDec"))
    pairs = shape.heads * row_tokens * (PAIR_BYTES if shape.drops else size if shape.kind == "t5" else 0)
    if shape.drops:
        numbers += 2 * width + (inner if shape.kind == "t5" else 0)
    # Norms keep their input, RMS norms in fp32.
    norms = 2 * width * (size if shape.kind == "gpt2" else FP32)
    return size * (numbers + shape.kept_inner * inner) + norms + pairs


def _copied_weights(shape: Shape, tune: Mapping[str, Any], *, bf16: bool) -> int:
    """Return what copies of weights in the precision of the products take."""
    size = 2 if bf16 else 4
    largest = max(product.inputs * product.outputs for product in shape.products)
    if tune.get("dora"):
        # The length of the columns is taken of a weight and its change, both written out.
        return 3 * FP32 * largest
    if tune["method"] in {"qlora", "lora_8bit"}:
        return largest * size
    if tune["method"] == "full" and bf16:
        return shape.layer_weights * size
    return 0


def _targets(shape: Shape, tune: Mapping[str, Any]) -> list[Product]:
    wanted = tune["targets"]
    if wanted == "all-linear":
        return list(shape.products)
    if isinstance(wanted, str):
        return [one for one in shape.products if re.fullmatch(wanted, f"{shape.prefix}.{one.path}")]
    return [one for one in shape.products if any(f".{one.path}".endswith(f".{name}") for name in wanted)]


def _largest_layer(shape: Shape) -> int:
    return max(shape.layer_weights // shape.layers, shape.vocabulary * shape.width)
