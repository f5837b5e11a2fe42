"""What lies beside the weights of a published model, so that other programs need nothing else: config and tokenizer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.merging.weights import DTYPES
from rc_pipeline.models.config_files import KERNELS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# What says how a file came about and not what the model is, or names another precision or code.
NOT_CARRIED = ("_name_or_path", "auto_map", "torch_dtype", "transformers_version", *KERNELS)
TOKENIZER_NAMES = ("bos_token", "eos_token", "unk_token", "pad_token")


def write_config(source: Path, out: Path, *, architecture: str, dtype: str, unties: bool) -> None:
    """Write the config of `source` for weights in another precision."""
    config = _read(source / "config.json")
    kept = {name: value for name, value in config.items() if name not in NOT_CARRIED}
    kept |= {"architectures": [architecture], "dtype": DTYPES[dtype]}
    _write(out / "config.json", kept | ({"tie_word_embeddings": False} if unties else {}))


def write_generation(out: Path, model: Any, ends: Iterable[int], *, pad_id: int, max_new_tokens: int) -> None:
    """Write how the run writes its answers: greedily, up to any of the tokens that end one."""
    told = model.generation_config.eos_token_id
    named = told if isinstance(told, list) else [] if told is None else [told]
    every = sorted({*ends, *named})
    settings = {
        **{name: getattr(model.config, name, None) for name in ("bos_token_id", "decoder_start_token_id")},
        "do_sample": False,
        "eos_token_id": every if len(every) > 1 else every[0],
        "max_new_tokens": max_new_tokens,
        "pad_token_id": pad_id,
    }
    _write(out / "generation_config.json", {name: value for name, value in settings.items() if value is not None})


def write_tokenizer(base: Path, out: Path, tokenizer: PreTrainedTokenizerFast, chat_text: str, tokens: int) -> None:
    """Write the base's tokenizer with the run's prompt as its chat template."""
    shutil.copyfile(base / "tokenizer.json", out / "tokenizer.json")
    path = base / "tokenizer_config.json"
    told = _read(path) if path.is_file() else {}
    names = {name: str(token) for name in TOKENIZER_NAMES if (token := getattr(tokenizer, name)) is not None}
    # Any other class would build the pipeline anew, and differently for some texts.
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    extra = {name: told[name] for name in ("extra_special_tokens", "additional_special_tokens") if name in told}
    _write(
        out / "tokenizer_config.json",
        extra | names | settings | {"chat_template": chat_text, "model_max_length": tokens},
    )


def copy_licenses(base: Path, out: Path) -> None:
    """Copy the license files of a base model."""
    for path in sorted(base.iterdir()):
        if "LICENSE" in path.name.upper() and path.is_file():
            shutil.copyfile(path, out / path.name)


def _read(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


def _write(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
