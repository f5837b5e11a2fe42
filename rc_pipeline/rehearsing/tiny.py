"""Tiny random checkpoints in the layout of the real ones: their config.json shrunk, and their own tokenizer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.models.families import LOADED_AS, MODEL_TYPES, NATIVE, SENTENCEPIECE, read_in_place, wanted
from rc_pipeline.models.mappings import CHATGLM2_NAMES, native_config

if TYPE_CHECKING:
    import torch

TOKENIZER_OF_NONE = Path(__file__).parents[1] / "models" / "rc_tiny"
# Under the names of all families. 64 wide, for weights in 4 bits come in blocks of 64.
SMALL = {
    **dict.fromkeys(("hidden_size", "n_embd", "d_model"), 64),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "num_layers", "num_decoder_layers"), 2),
    **dict.fromkeys(("intermediate_size", "ffn_hidden_size", "d_ff", "n_inner", "moe_intermediate_size"), 96),
    **dict.fromkeys(("num_attention_heads", "n_head", "num_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "multi_query_group_num"), 2),
    **dict.fromkeys(("head_dim", "kv_channels", "d_kv", "dim_model_base"), 16),
}
# What says something of each layer or of the real weights, and fits no other ones.
OF_THE_REAL_ONE = ("layer_types", "max_window_layers", "quantization_config", "auto_map")
# What a checkpoint says where there is none to read: the fields that its conversion asks for.
UNSEEN: dict[str, dict[str, Any]] = {
    "minicpm": {"rms_norm_eps": 1e-5, "scale_emb": 12, "scale_depth": 1.4, "hidden_act": "silu"},
    "chatglm2": {"layernorm_epsilon": 1e-5, "add_qkv_bias": True, "tie_word_embeddings": False},
    "t5": {"feed_forward_proj": "gated-gelu", "decoder_start_token_id": 0, "tie_word_embeddings": False},
}
SIZES: dict[str, tuple[str, ...]] = {
    "minicpm": (
        "hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads", "num_key_value_heads",
        "dim_model_base",
    ),
    "chatglm2": (
        "hidden_size", "num_layers", "ffn_hidden_size", "num_attention_heads", "multi_query_group_num", "kv_channels",
    ),
    "gpt2": ("n_embd", "n_layer", "n_head"),
    "t5": ("d_model", "num_layers", "num_decoder_layers", "d_ff", "num_heads", "d_kv"),
}  # fmt: skip
USUAL_SIZES = ("hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads", "num_key_value_heads")
REACH = {"gpt2": "n_positions", "chatglm2": "seq_length"}


@dataclass(frozen=True)
class Tiny:
    """What a tiny checkpoint has of the real one."""

    weights: int
    own_config: bool
    own_tokenizer: bool


def write_tiny(out: Path, family: str, real: Path | None, context_tokens: int) -> Tiny:
    """Write a checkpoint of random weights; `real` is the folder of the real one, or of what is there of it."""
    out.mkdir(parents=True, exist_ok=True)
    there = wanted(path.name for path in real.glob("*") if path.is_file()) if real is not None else []
    own_tokenizer = "tokenizer.json" in there or not set(SENTENCEPIECE).isdisjoint(there)
    _copy_tokenizer(out, real if real is not None and own_tokenizer else TOKENIZER_OF_NONE)
    told = _own_config(family, real) if own_tokenizer else None
    config = _small(told) if told is not None else _unseen(family, context_tokens, out)
    if context_tokens > int(config.get(REACH.get(family, "max_position_embeddings"), context_tokens)):
        # What the catalog promises is held against the real model's own word before, and not needed here.
        config[REACH.get(family, "max_position_embeddings")] = context_tokens
    _write_json(out / "config.json", config)
    state = _random(family, config)
    as_it_is = read_in_place(family, there or ["tokenizer.json", "model.safetensors"])
    _save(out, _as_chatglm2(state) if family == "chatglm2" else state, safe=as_it_is)
    return Tiny(sum(weight.numel() for weight in state.values()), told is not None, own_tokenizer)


def _copy_tokenizer(out: Path, folder: Path) -> None:
    for name in wanted(path.name for path in folder.glob("*") if path.is_file()):
        if not name.endswith((".safetensors", ".bin", ".index.json")) and name != "config.json":
            shutil.copyfile(folder / name, out / name)


def _own_config(family: str, real: Path | None) -> dict[str, Any] | None:
    """Return the config.json of a checkpoint of this family, None where there is none, or another one's."""
    path = None if real is None else real / "config.json"
    if path is None or not path.is_file():
        return None
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    if not isinstance(config, dict) or (
        family != NATIVE and config.get("model_type") != MODEL_TYPES.get(family, family)
    ):
        return None
    return config


def _small(config: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in config.items() if name not in OF_THE_REAL_ONE}
    return kept | {name: value for name, value in SMALL.items() if config.get(name) is not None}


def _unseen(family: str, context_tokens: int, tokenizer: Path) -> dict[str, Any]:
    """Return the config of a family's usual model, as long as the catalog says that it reads."""
    model_type = "qwen2" if family == NATIVE else MODEL_TYPES.get(family, family)
    vocabulary = _vocabulary(tokenizer)
    return {
        "model_type": model_type,
        "vocab_size": vocabulary,
        "padded_vocab_size": vocabulary,
        "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
        REACH.get(family, "max_position_embeddings"): context_tokens,
        **{name: SMALL[name] for name in SIZES.get(family, USUAL_SIZES)},
        **UNSEEN.get(family, {}),
    }  # fmt: skip


def _vocabulary(folder: Path) -> int:
    from tokenizers import Tokenizer

    if not (folder / "tokenizer.json").is_file():
        from rc_pipeline.models.sentencepiece_model import read_sentencepiece

        pieces = next(folder / name for name in SENTENCEPIECE if (folder / name).is_file())
        # T5 adds a hundred to its pieces, and ChatGLM2 five.
        return len(read_sentencepiece(pieces).pieces) + 128
    return max(Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab().values()) + 1


def _random(family: str, config: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    import torch

    from rc_pipeline.models.architectures import architecture

    native = native_config(family, config) if family in LOADED_AS else dict(config)
    model_class = architecture(family, str(native.get("model_type")))
    torch.manual_seed(0)
    model = model_class(model_class.config_class.from_dict(native)).to(torch.float32)
    with torch.no_grad():
        for weight in model.parameters():
            # With weights as small as the usual first ones, every answer would be the same.
            weight.mul_(2.0) if weight.ndim > 1 else weight
    tied = set(model.all_tied_weights_keys)
    return {name: tensor.detach() for name, tensor in model.state_dict().items() if name not in tied}


def _as_chatglm2(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return weights under the names that ChatGLM2's own code gives them."""
    import torch

    found = {}
    for name, tensor in state.items():
        if ".q_proj." in name:
            parts = [state[name.replace(".q_proj.", f".{one}_proj.")] for one in "qkv"]
            found[_in_chatglm2(name.replace(".q_proj.", ".query_key_value."))] = torch.cat(parts)
        elif ".k_proj." not in name and ".v_proj." not in name:
            found[_in_chatglm2(name)] = tensor
    return found


def _in_chatglm2(name: str) -> str:
    for theirs, ours in CHATGLM2_NAMES:
        name = name.replace(ours, theirs)
    return name


def _save(out: Path, state: Mapping[str, torch.Tensor], *, safe: bool) -> None:
    import torch
    from safetensors.torch import save_file

    whole = {name: tensor.contiguous() for name, tensor in state.items()}
    if safe:
        save_file(whole, out / "model.safetensors", metadata={"format": "pt"})
    else:
        torch.save(whole, out / "pytorch_model.bin")


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
