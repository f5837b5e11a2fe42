"""An adapter's weights within those of its base: computed one at a time in float32, rounded once, written by shards.

The base is held as its files hold it, and stays on disk until a weight is used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.models.architectures import ModelLoadError, architecture
from rc_pipeline.models.loading import quiet_peft
from rc_pipeline.models.weight_files import SAFE, safetensors_header, weight_files
from rc_pipeline.worker import beat

if TYPE_CHECKING:
    import torch

DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
NARROW = {"F16": "float16", "BF16": "bfloat16"}
SHARD_BYTES = 5_000_000_000


class MergeError(ValueError):
    """Weights that cannot be merged as asked; the message says what to do."""


def open_weights(folder: Path, family: str, adapter: Path | None = None) -> Any:
    """Return a model on the CPU as its files hold it, an adapter in float32 beside it and not in it."""
    import torch
    from transformers.utils import logging

    whole = None if adapter is None else whole_model(adapter)
    if whole is not None:
        folder, adapter = whole, None
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model, report = architecture(family, str(config.get("model_type"))).from_pretrained(
        str(folder),
        local_files_only=True,
        use_safetensors=True,
        output_loading_info=True,
        dtype=getattr(torch, _held_in(folder)),
        attn_implementation="sdpa",
    )
    if report["missing_keys"] or report["mismatched_keys"]:
        raise ModelLoadError(f"{folder}: weights are missing or of another shape. Build the model again.")
    if adapter is not None:
        from peft import PeftModel

        with quiet_peft():
            model = PeftModel.from_pretrained(model, str(adapter), local_files_only=True)
    return model.eval()


def whole_model(adapter: Path) -> Path | None:
    """Return the folder of an adapter that is a model of its own, since every weight was trained."""
    return adapter if weight_files(adapter)[0] else None


def _held_in(folder: Path) -> str:
    """Return the precision that loses nothing of a checkpoint's weights; what config.json says may be another."""
    kinds = set()
    for name in weight_files(folder)[0]:
        header, problem = safetensors_header(folder / name)
        if problem:
            raise ModelLoadError(problem)
        kinds |= {entry["dtype"] for entry in header.values()}
    floats = {kind for kind in kinds if kind.startswith(("F", "BF"))}
    return NARROW.get(floats.pop(), "float32") if len(floats) == 1 else "float32"


class Merged:
    """The weights of a model with what its adapter adds to them, under the names that the base has."""

    def __init__(self, model: Any) -> None:
        from peft.tuners.tuners_utils import BaseTunerLayer

        self.base = model.get_base_model() if hasattr(model, "peft_config") else model
        layers = {name: part for name, part in self.base.named_modules() if isinstance(part, BaseTunerLayer)}
        if hasattr(model, "peft_config") and not layers:
            raise MergeError("this adapter has no weights to merge: it stands in front of the model's input.")
        tied = dict(self.base.all_tied_weights_keys)
        owners = {name.rpartition(".")[0] for pair in tied.items() for name in pair}
        # One of two tied weights that gets an adapter is no longer equal to the other.
        self.unties = not owners.isdisjoint(layers)
        self.weights: dict[str, tuple[torch.Tensor, Any]] = {}
        for key, tensor in self.base.state_dict().items():
            layer, inside, leaf = key.rpartition(".base_layer.")
            name = f"{layer}.{leaf}" if inside else key
            if ".lora_" not in key and (self.unties or name not in tied):
                self.weights[name] = (tensor, layers[layer] if inside and leaf == "weight" else None)
        self.count = sum(tensor.numel() for tensor, _ in self.weights.values())

    def write(self, out: Path, dtype: str, shard_bytes: int = SHARD_BYTES) -> list[str]:
        """Write every weight in a precision and return the names of the files."""
        import torch
        from safetensors.torch import save_file

        rounded = getattr(torch, DTYPES[dtype])
        shards = list(self._shards(rounded.itemsize, shard_bytes))
        files = [f"model-{n:05d}-of-{len(shards):05d}.safetensors" for n in range(1, len(shards) + 1)]
        files = [SAFE] if len(shards) == 1 else files
        total = 0
        for file, names in zip(files, shards, strict=True):
            tensors = {}
            for name in names:
                beat()
                tensors[name] = self._rounded(name, rounded)
            total += sum(tensor.nbytes for tensor in tensors.values())
            save_file(tensors, out / file, metadata={"format": "pt"})
        if len(shards) > 1:
            places = {name: file for file, names in zip(files, shards, strict=True) for name in names}
            index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
            (out / f"{SAFE}.index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
        return files

    def _shards(self, item_bytes: int, shard_bytes: int) -> Iterator[list[str]]:
        names: list[str] = []
        size = 0
        for name, (tensor, _) in self.weights.items():
            own = tensor.numel() * item_bytes
            if names and size + own > shard_bytes:
                yield names
                names, size = [], 0
            names.append(name)
            size += own
        yield names

    def _rounded(self, name: str, dtype: torch.dtype) -> torch.Tensor:
        import torch

        tensor, layer = self.weights[name]
        if not tensor.is_floating_point():
            return tensor
        merged = tensor if layer is None else _with_delta(layer)
        # A copy of its own, since two names may share one memory and a file may not.
        rounded = merged.to(dtype, copy=True).contiguous()
        if not torch.isfinite(torch.stack(rounded.aminmax())).all():
            largest = max(abs(float(end)) for end in merged.float().aminmax())
            raise MergeError(
                f"{name}: a weight as large as {largest:.4g} has no number in {dtype}. "
                "Merge in bf16 or fp32: `merge` of the study says which."
            )
        return rounded


def _with_delta(layer: Any) -> torch.Tensor:
    """Return the weight of a layer with its adapter's share, as PEFT merges it, in float32."""
    import torch

    weight = layer.get_base_layer().weight
    held = weight.data
    try:
        weight.data = held.to(torch.float32, copy=True)
        layer.merge()
        merged: torch.Tensor = weight.data
    finally:
        weight.data = held
        layer.merged_adapters.clear()
    return merged
