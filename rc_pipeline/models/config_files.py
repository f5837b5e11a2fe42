"""The JSON files of a checkpoint, which nobody here wrote: read with care, and held to what a model may ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Files that are read by the way, and must be JSON objects where they are there.
BESIDE = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "generation_config.json")
# Where a config.json names how attention and experts are computed: a name with a slash is code on a hub.
KERNELS = tuple(f"{start}{part}_implementation{end}" for part in ("attn", "experts")
                for start, end in (("", ""), ("_", ""), ("_", "_internal")))  # fmt: skip


def read_object(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the JSON object in a file of a checkpoint, or what is wrong with it."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        return {}, [f"{path}: cannot be read as JSON ({error}). Fetch the checkpoint again."]
    if not isinstance(data, dict):
        return {}, [f"{path}: holds a {type(data).__name__}, not an object. Fetch the checkpoint again."]
    return data, []


def foreign_problems(folder: Path, config: Mapping[str, Any]) -> list[str]:
    """Return by what transformers would load something else than the weights of this folder, as they are."""
    path = folder / "config.json"
    problems = []
    if (folder / "adapter_config.json").exists():
        problems.append(
            f"{folder / 'adapter_config.json'}: makes this an adapter, which is loaded upon a model that it names. "
            "Merge the two and name the merged model, or move the file away."
        )
    if quantised := config.get("quantization_config"):
        method = quantised.get("quant_method") if isinstance(quantised, dict) else quantised
        problems.append(
            f"{path}: quantization_config says that the weights are rounded ({method!r}). Fetch those in full "
            "precision; `method: qlora` rounds them by itself."
        )
    if "transformers_weights" in config:
        problems.append(
            f"{path}: transformers_weights is {config['transformers_weights']!r}, but weights are read from files of "
            "the usual names only. Remove the field."
        )
    problems += [
        f"{path}: {name} is {config[name]!r}, which is code on a hub. Remove the field."
        for name in KERNELS
        if "/" in str(config.get(name))
    ]
    return problems + [problem for name in BESIDE if (folder / name).exists() for problem in _beside(folder / name)]


def _beside(path: Path) -> list[str]:
    told, problems = read_object(path)
    if "fast_tokenizer_files" in told:
        problems.append(
            f"{path}: fast_tokenizer_files names another tokenizer than tokenizer.json for some versions of "
            "transformers. Remove the field."
        )
    return problems
