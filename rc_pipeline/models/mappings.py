"""Original checkpoints under native names: MiniCPM computes what Granite does, ChatGLM2 what GLM does."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MINICPM_COPIED = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "hidden_act",
)  # fmt: skip
MINICPM_SCALES = ("scale_emb", "scale_depth", "dim_model_base")
CHATGLM2_COPIED = {
    "padded_vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "ffn_hidden_size": "intermediate_size",
    "num_layers": "num_hidden_layers",
    "num_attention_heads": "num_attention_heads",
    "multi_query_group_num": "num_key_value_heads",
    "kv_channels": "head_dim",
    "seq_length": "max_position_embeddings",
    "layernorm_epsilon": "rms_norm_eps",
    "add_qkv_bias": "attention_bias",
}
# What the native classes always do, or never; an original that says otherwise is another model.
MINICPM_FIXED = {"attention_bias": False, "rope_scaling": None, "num_experts": 0, "hidden_act": "silu"}
CHATGLM2_FIXED = {
    "multi_query_attention": True,
    "rmsnorm": True,
    "post_layer_norm": True,
    "add_bias_linear": False,
    "apply_residual_connection_post_layernorm": False,
    "tie_word_embeddings": False,
    "pre_seq_len": None,
}
CHATGLM2_NAMES = (
    ("transformer.embedding.word_embeddings.", "model.embed_tokens."),
    ("transformer.encoder.layers.", "model.layers."),
    ("transformer.encoder.final_layernorm.", "model.norm."),
    ("transformer.output_layer.", "lm_head."),
    (".self_attention.dense.", ".self_attn.o_proj."),
    (".self_attention.", ".self_attn."),
    (".mlp.dense_h_to_4h.", ".mlp.gate_up_proj."),
    (".mlp.dense_4h_to_h.", ".mlp.down_proj."),
)
# Older checkpoints store what the classes compute or never use: rotary frequencies, GPT-2's causal mask, and how far
# the words of T5's answer are from those of its prompt.
BUFFERS = re.compile(
    r"(rotary_emb|rotary_pos_emb)\.inv_freq$|\.attn\.(masked_)?bias$|\.EncDecAttention\.relative_attention_bias\.weight$"
)


class ConfigError(ValueError):
    """A config.json that the native class cannot follow; every field is named."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Part:
    """Rows of an original tensor, and the name they go by."""

    name: str
    rows: slice | None = None


def native_config(family: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of the native class; one that computes something else is an error."""
    if family == "minicpm":
        return _granite_config(config)
    if family == "chatglm2":
        return _glm_config(config)
    return {name: value for name, value in config.items() if name != "auto_map"}


def native_parts(family: str, name: str, config: Mapping[str, Any]) -> list[Part]:
    """Return what an original tensor becomes; nothing for one that the native class computes itself."""
    if BUFFERS.search(name):
        return []
    if family == "chatglm2":
        return _glm_parts(name, config)
    if family == "gpt2" and not name.startswith(("transformer.", "lm_head.")):
        return [Part(f"transformer.{name}")]
    return [Part(name)]


def _granite_config(config: Mapping[str, Any]) -> dict[str, Any]:
    problems = _problems(config, (*MINICPM_COPIED[:-1], *MINICPM_SCALES), MINICPM_FIXED)
    if problems:
        raise ConfigError(problems)
    layers, width, heads = (config[name] for name in ("num_hidden_layers", "hidden_size", "num_attention_heads"))
    return {
        "model_type": "granite",
        "architectures": ["GraniteForCausalLM"],
        **{name: config[name] for name in MINICPM_COPIED if name in config},
        "embedding_multiplier": config["scale_emb"],
        "residual_multiplier": config["scale_depth"] / math.sqrt(layers),
        "attention_multiplier": 1 / math.sqrt(width // heads),
        "logits_scaling": width / config["dim_model_base"],
        "tie_word_embeddings": config.get("tie_word_embeddings", True),
        "rope_parameters": {"rope_type": "default", "rope_theta": float(config.get("rope_theta", 10000.0))},
        "attention_bias": False,
        "bos_token_id": config.get("bos_token_id", 1),
        "eos_token_id": config.get("eos_token_id", 2),
        "pad_token_id": None,
    }


def _glm_config(config: Mapping[str, Any]) -> dict[str, Any]:
    problems = _problems(config, CHATGLM2_COPIED, CHATGLM2_FIXED)
    if problems:
        raise ConfigError(problems)
    theta = 10000.0 * config.get("rope_ratio", 1)
    return {
        "model_type": "glm",
        "architectures": ["GlmForCausalLM"],
        **{ours: config[theirs] for theirs, ours in CHATGLM2_COPIED.items()},
        "rope_parameters": {"rope_type": "default", "rope_theta": theta, "partial_rotary_factor": 0.5},
        "tie_word_embeddings": False,
        "attention_dropout": 0.0,
        "bos_token_id": None,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }


def _problems(config: Mapping[str, Any], needed: Any, fixed: Mapping[str, Any]) -> list[str]:
    missing = [name for name in needed if config.get(name) is None]
    problems = [f"{', '.join(missing)}: missing. Fetch the config.json of the original checkpoint."] if missing else []
    return problems + [
        f"{name}: is {config[name]!r}; only {value!r} can be computed without the checkpoint's own code."
        for name, value in fixed.items()
        if name in config and config[name] != value and (config[name] or value)
    ]


def _glm_parts(name: str, config: Mapping[str, Any]) -> list[Part]:
    for theirs, ours in CHATGLM2_NAMES:
        name = name.replace(theirs, ours)
    if ".query_key_value." not in name:
        return [Part(name)]
    size = config["kv_channels"]
    queries, keys = config["num_attention_heads"] * size, config["multi_query_group_num"] * size
    # The last has no end, so that rows too many show in its shape.
    ends = (0, queries, queries + keys, None)
    return [
        Part(name.replace("query_key_value", f"{one}_proj"), slice(start, end))
        for one, start, end in zip("qkv", ends, ends[1:], strict=False)
    ]
