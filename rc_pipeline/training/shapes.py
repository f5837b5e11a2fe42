"""The sizes of a model as its config.json states them: which weights there are, without loading any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Each family has its own names for the same sizes.
NAMES = {
    "width": ("hidden_size", "n_embd", "d_model"),
    "layers": ("num_hidden_layers", "n_layer", "num_layers"),
    "heads": ("num_attention_heads", "n_head", "num_heads"),
    "kv_heads": ("num_key_value_heads", "multi_query_group_num"),
    "head_width": ("head_dim", "kv_channels", "d_kv"),
    "inner": ("intermediate_size", "n_inner", "ffn_hidden_size", "d_ff"),
    "vocabulary": ("padded_vocab_size", "vocab_size"),
}
DROPOUTS = ("attention_dropout", "attn_pdrop", "dropout_rate")
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
# Whether the head is the embeddings, where config.json does not say.
TIED = {"gpt2", "minicpm", "t5", "gemma", "gemma2", "gemma3_text"}


class ShapeUnknown(ValueError):
    """A config.json that does not tell the sizes of a model."""


@dataclass(frozen=True)
class Product:
    """A matrix that `count` layers have each, by its path inside the layer."""

    path: str
    inputs: int
    outputs: int
    count: int


@dataclass(frozen=True)
class Shape:
    """What a forecast of memory needs to know of a model."""

    kind: str
    layers: int
    width: int
    inner: int
    heads: int
    query_width: int
    kv_width: int
    vocabulary: int
    tied: bool
    positions: int
    # How many times a layer keeps its inner width for the backward pass, beside the last product's input: a gate, its
    # activation and what it lets through; an unfused GELU keeps four steps of its own.
    kept_inner: int
    # Whether it drops attention weights in training, as GPT-2 and T5 do.
    drops: bool
    products: tuple[Product, ...]

    @property
    def layer_weights(self) -> int:
        """Return how many weights the matrices of all layers have."""
        return sum(product.inputs * product.outputs * product.count for product in self.products)

    @property
    def other_weights(self) -> int:
        """Return how many weights lie outside those: embeddings, head and norms; biases are too few to count."""
        tables = self.vocabulary * (1 if self.tied else 2) + self.positions
        return self.width * (tables + 2 * self.layers + 1)

    @property
    def prefix(self) -> str:
        """Return where the first layer lies in the model, as a pattern of targets names it."""
        return {"gpt2": "transformer.h.0", "t5": "encoder.block.0.layer.0"}.get(self.kind, "model.layers.0")


def read_shape(config: Mapping[str, Any]) -> Shape:
    """Return the sizes that a config.json states; raises ShapeUnknown."""
    experts = next((name for name in EXPERTS if config.get(name)), None)
    if experts is not None:
        raise ShapeUnknown(f"config.json: {experts} {config[experts]}: what a mixture of experts takes is not known")
    family = str(config.get("model_type"))
    kind = family if family in {"gpt2", "t5"} else "gated"
    width, layers, heads = (_size(config, name) for name in ("width", "layers", "heads"))
    # Some configs state the width of a head as null.
    head_width = _size(config, "head_width", width // heads)
    inner = _size(config, "inner", 4 * width)
    query_width, kv_width = heads * head_width, _size(config, "kv_heads", heads) * head_width
    return Shape(
        kind=kind,
        layers=layers,
        width=width,
        inner=inner,
        heads=heads,
        query_width=query_width,
        kv_width=kv_width,
        vocabulary=_size(config, "vocabulary"),
        tied=bool(config.get("tie_word_embeddings", family in TIED)),
        positions=int(config.get("n_positions", 1024)) if kind == "gpt2" else 0,
        kept_inner=_kept_inner(kind, config),
        drops=any(config.get(name) for name in DROPOUTS),
        products=_products(kind, config, (width, query_width, kv_width, inner, layers)),
    )


def _products(kind: str, config: Mapping[str, Any], sizes: tuple[int, int, int, int, int]) -> tuple[Product, ...]:
    width, queries, keys, inner, layers = sizes
    if kind == "gpt2":
        found = {"attn.c_attn": (width, 3 * width), "attn.c_proj": (width, width)}
        found |= {"mlp.c_fc": (width, inner), "mlp.c_proj": (inner, width)}
    elif kind == "t5":
        return _encoder_and_decoder(config, sizes)
    else:
        found = {"self_attn.q_proj": (width, queries), "self_attn.k_proj": (width, keys)}
        found |= {"self_attn.v_proj": (width, keys), "self_attn.o_proj": (queries, width)}
        if config.get("model_type") in {"glm", "chatglm"}:
            found |= {"mlp.gate_up_proj": (width, 2 * inner)}
        else:
            found |= {"mlp.gate_proj": (width, inner), "mlp.up_proj": (width, inner)}
        found |= {"mlp.down_proj": (inner, width)}
    return tuple(Product(path, *shape, layers) for path, shape in found.items())


def _kept_inner(kind: str, config: Mapping[str, Any]) -> int:
    if kind == "gpt2":
        return 4
    if kind == "t5":
        return 6 if "gated" in str(config.get("feed_forward_proj")) else 2
    return 3


def _encoder_and_decoder(config: Mapping[str, Any], sizes: tuple[int, int, int, int, int]) -> tuple[Product, ...]:
    width, queries, _, inner, layers = sizes
    decoders = int(config.get("num_decoder_layers") or layers)
    gated = "gated" in str(config.get("feed_forward_proj"))
    feed = dict.fromkeys(("wi_0", "wi_1") if gated else ("wi",), (width, inner)) | {"wo": (inner, width)}
    attention = {"q": (width, queries), "k": (width, queries), "v": (width, queries), "o": (queries, width)}
    parts = (("SelfAttention", attention, layers + decoders), ("EncDecAttention", attention, decoders))
    return tuple(
        Product(f"{part}.{name}", *shape, count)
        for part, found, count in (*parts, ("DenseReluDense", feed, layers + decoders))
        for name, shape in found.items()
    )


def _size(config: Mapping[str, Any], name: str, otherwise: int | None = None) -> int:
    """Return a size by any of its names."""
    for field in NAMES[name]:
        value = config.get(field)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ShapeUnknown(f"config.json: {field} {value!r} is no size; give a number of at least 1")
        return value
    if otherwise is None:
        raise ShapeUnknown(f"config.json: none of {', '.join(NAMES[name])} is there, so no memory can be forecast")
    return otherwise
