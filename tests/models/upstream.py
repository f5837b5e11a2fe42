"""Tiny random checkpoints in the layouts in which the real ones are published: names, config fields, files.

Not made by `rc_pipeline.rehearsing.tiny`, which follows the mappings that these are to prove.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.models.pieces import write_pieces, write_t5_pieces
from tests.models.tiny_models import write_model, write_tokenizer

PIECES = 420
MINICPM: dict[str, Any] = {
    "architectures": ["MiniCPMForCausalLM"],
    "auto_map": {"AutoConfig": "configuration_minicpm.MiniCPMConfig", "AutoModelForCausalLM": "modeling_minicpm.X"},
    "model_type": "minicpm",
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 32,
    "intermediate_size": 48,
    "max_position_embeddings": 256,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "vocab_size": PIECES,
    "scale_emb": 12,
    "dim_model_base": 8,
    "scale_depth": 1.4,
}
CHATGLM2: dict[str, Any] = {
    "architectures": ["ChatGLMModel"],
    "auto_map": {"AutoConfig": "configuration_chatglm.ChatGLMConfig"},
    "model_type": "chatglm",
    "add_bias_linear": False,
    "add_qkv_bias": True,
    "apply_query_key_layer_scaling": True,
    "apply_residual_connection_post_layernorm": False,
    "attention_softmax_in_fp32": True,
    "ffn_hidden_size": 48,
    "hidden_size": 32,
    "kv_channels": 8,
    "layernorm_epsilon": 1e-05,
    "multi_query_attention": True,
    "multi_query_group_num": 2,
    "num_attention_heads": 4,
    "num_layers": 2,
    "original_rope": True,
    "padded_vocab_size": PIECES + 12,
    "post_layer_norm": True,
    "rmsnorm": True,
    "seq_length": 256,
    "tie_word_embeddings": False,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
FLAN_T5: dict[str, Any] = {
    "architectures": ["T5ForConditionalGeneration"],
    "model_type": "t5",
    "d_ff": 48,
    "d_kv": 16,
    "d_model": 32,
    "decoder_start_token_id": 0,
    "dropout_rate": 0.1,
    "eos_token_id": 1,
    "feed_forward_proj": "gated-gelu",
    "initializer_factor": 1.0,
    "is_encoder_decoder": True,
    "layer_norm_epsilon": 1e-06,
    "n_positions": 512,
    "num_decoder_layers": 2,
    "num_heads": 4,
    "num_layers": 3,
    "pad_token_id": 0,
    "relative_attention_max_distance": 128,
    "relative_attention_num_buckets": 32,
    "tie_word_embeddings": False,
    # More than the tokenizer has.
    "vocab_size": 352,
}
CODE = "raise SystemExit('the code of a checkpoint was run')\n"


@dataclass(frozen=True)
class Upstream:
    """A checkpoint folder, and its model as its own authors compute it, where that is no native class."""

    folder: Path
    family: str
    original: Any = None


def write_minicpm(folder: Path, *, dtype: str = "float32", shards: int = 1, **config: Any) -> Upstream:
    """One or more .bin files in which the tied head is stored again, both forms of a tokenizer, and code."""
    from tests.models.originals import MiniCPM

    told = MINICPM | {"torch_dtype": dtype} | config
    model = _seeded(MiniCPM, told, dtype)
    _write(folder, told, model.state_dict(), shards)
    write_pieces(folder / "tokenizer.model", vocab_size=PIECES)
    write_tokenizer(folder)
    (folder / "modeling_minicpm.py").write_text(CODE)
    return Upstream(folder, "minicpm", model.float())


def write_chatglm2(folder: Path, *, dtype: str = "float32", shards: int = 3, **config: Any) -> Upstream:
    """Several .bin files with an index, tokenizer.model, code, and no tokenizer.json."""
    from tests.models.originals import ChatGLM2

    told = CHATGLM2 | {"torch_dtype": dtype} | config
    model = _seeded(ChatGLM2, told, dtype)
    _write(folder, told, model.state_dict(), shards)
    write_pieces(folder / "tokenizer.model", vocab_size=PIECES)
    _json(folder / "tokenizer_config.json", {"tokenizer_class": "ChatGLMTokenizer", "remove_space": False})
    (folder / "modeling_chatglm.py").write_text(CODE)
    return Upstream(folder, "chatglm2", model.float())


def write_llama2(folder: Path) -> Upstream:
    """Safetensors in shards and tokenizer.json."""
    write_model(folder, "llama")
    _reshard(folder)
    return Upstream(folder, "llama")


def write_vicuna(folder: Path) -> Upstream:
    """Older .bin files that store rotary frequencies, and tokenizer.model alone; BayLing-2 is of this kind."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {name: MINICPM[name] for name in MINICPM if name.startswith(("hidden", "inter", "max", "num", "rms"))}
    torch.manual_seed(5)
    model = LlamaForCausalLM(LlamaConfig(**sizes, vocab_size=PIECES, tie_word_embeddings=False))
    state = dict(model.state_dict())
    for layer in range(2):
        state[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    _write(folder, {**model.config.to_dict(), "torch_dtype": "float32"}, state, 2)
    write_pieces(folder / "tokenizer.model", vocab_size=PIECES)
    _json(folder / "tokenizer_config.json", {"add_bos_token": True, "add_eos_token": False})
    return Upstream(folder, "llama", lambda ids: model(input_ids=ids[None]).logits[0])


def write_gpt2(folder: Path, *, pickled: bool = False, positions: int = 256) -> Upstream:
    """Weights without their prefix and with causal masks; a tokenizer that names no special token."""
    import torch
    from safetensors.torch import load_file, save_file

    write_model(folder, "gpt2", positions=positions)
    weights = load_file(folder / "model.safetensors")
    bare = {name.removeprefix("transformer."): weight for name, weight in weights.items()}
    bare |= {f"h.{layer}.attn.bias": torch.ones(1, 1, positions, positions).tril() for layer in range(2)}
    if pickled:
        (folder / "model.safetensors").unlink()
        torch.save(bare, folder / "pytorch_model.bin")
    else:
        save_file(bare, folder / "model.safetensors", metadata={"format": "pt"})
    _json(folder / "tokenizer_config.json", {"model_max_length": 1024})
    return Upstream(folder, "gpt2")


def write_flan_t5(folder: Path, *, pickled: bool = False) -> Upstream:
    """An encoder and a decoder with a head of its own; in older layouts, a .bin file and spiece.model alone."""
    import torch
    from safetensors.torch import save_file
    from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer

    from rc_pipeline.models.sentencepiece_model import read_sentencepiece

    folder.mkdir(parents=True)
    pieces = read_sentencepiece(write_t5_pieces(folder / "spiece.model"))
    torch.manual_seed(6)
    model = T5ForConditionalGeneration(T5Config.from_dict(FLAN_T5)).eval()
    model.lm_head.weight = torch.nn.Parameter(torch.randn(FLAN_T5["vocab_size"], FLAN_T5["d_model"]))
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    _json(folder / "config.json", FLAN_T5)
    if pickled:
        weights |= {f"{part}.embed_tokens.weight": weights["shared.weight"] for part in ("encoder", "decoder")}
        weights["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"] = torch.ones(32, 4)
        torch.save(weights, folder / "pytorch_model.bin")
    else:
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        gaps = [(f"<extra_id_{number}>", 0.0) for number in reversed(range(100))]
        told = [(piece.text, piece.score) for piece in pieces.pieces]
        T5Tokenizer(vocab=told + gaps, _spm_precompiled_charsmap=pieces.charsmap).save_pretrained(folder)
    return Upstream(folder, "t5", model)


def write_qwen2(folder: Path) -> Upstream:
    """A decoder that no family is named after."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    folder.mkdir(parents=True)
    write_tokenizer(folder)
    torch.manual_seed(7)
    sizes = {name: MINICPM[name] for name in MINICPM if name.startswith(("hidden", "inter", "max", "num", "rms"))}
    model = Qwen2ForCausalLM(Qwen2Config(**sizes, vocab_size=330, bos_token_id=1, eos_token_id=2))
    model.save_pretrained(folder)
    return Upstream(folder, "native", lambda ids: model(input_ids=ids[None]).logits[0])


WRITERS = {
    "minicpm": write_minicpm,
    "chatglm2": write_chatglm2,
    "llama2": write_llama2,
    "vicuna": write_vicuna,
    "gpt2": write_gpt2,
    "qwen2": write_qwen2,
    "flan_t5": write_flan_t5,
}


def artifact(upstream: Upstream, out: Path) -> Path:
    """Build the base model of a checkpoint folder and return the folder to load."""
    from rc_pipeline.models.base import base_folder, write_base
    from rc_pipeline.models.families import wanted

    files = {name: upstream.folder / name for name in wanted(path.name for path in upstream.folder.iterdir())}
    write_base(source={"folder": ""}, family=upstream.family, files=files, out=out, scratch=out.parent / "scratch")
    return base_folder(out)


def change_weights(upstream: Upstream, change: Callable[[dict[str, Any]], object]) -> None:
    """Write a checkpoint of one .bin file anew with changed weights."""
    import torch

    path = upstream.folder / "pytorch_model.bin"
    state = torch.load(path, weights_only=True)
    change(state)
    torch.save(state, path)


def _seeded(model_class: Any, config: Mapping[str, Any], dtype: str) -> Any:
    import torch

    torch.manual_seed(4)
    model = model_class(config).to(getattr(torch, dtype))
    with torch.no_grad():
        for weight in model.parameters():
            # With weights as small as the default ones, every answer would be the same.
            weight.mul_(2.0) if weight.ndim > 1 else weight
    return model.eval()


def _write(folder: Path, config: Mapping[str, Any], state: Mapping[str, Any], shards: int) -> None:
    import torch

    folder.mkdir(parents=True)
    _json(folder / "config.json", config)
    if shards == 1:
        torch.save(dict(state), folder / "pytorch_model.bin")
        return
    names, places = list(state), dict[str, str]()
    for number in range(shards):
        mine = names[number::shards]
        file = f"pytorch_model-{number + 1:05d}-of-{shards:05d}.bin"
        # A copy each, for a view would be saved with all that it is a part of.
        torch.save({name: state[name].clone() for name in mine}, folder / file)
        places |= dict.fromkeys(mine, file)
    _json(folder / "pytorch_model.bin.index.json", {"metadata": {}, "weight_map": places})


def _reshard(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    places = {}
    for number in range(2):
        file = f"model-{number + 1:05d}-of-00002.safetensors"
        mine = dict(list(weights.items())[number::2])
        save_file(mine, folder / file, metadata={"format": "pt"})
        places |= dict.fromkeys(mine, file)
    _json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": places})


def _json(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=1), encoding="utf-8")
