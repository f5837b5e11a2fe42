"""An original checkpoint written anew in the native form, a gigabyte at a time: safetensors, config and tokenizer."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.models.architectures import architecture
from rc_pipeline.models.families import ENCODER_DECODERS, SENTENCEPIECE
from rc_pipeline.models.fast_tokenizer import write_fast_tokenizer
from rc_pipeline.models.mappings import ConfigError, Part, native_config, native_parts
from rc_pipeline.models.t5_tokenizer import write_t5_tokenizer
from rc_pipeline.models.weight_files import SAFE, tensors_of

if TYPE_CHECKING:
    import torch

SHARD_BYTES = 1 << 30
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")


class ConversionError(ValueError):
    """An original checkpoint whose weights do not fit its config; every name is listed."""


def convert(folder: Path, weights: list[str], out: Path, *, family: str, config: Mapping[str, Any]) -> None:
    """Write the native form of the checkpoint in `folder` to `out`."""
    native = native_config(family, config)
    conversion = _Conversion(folder, weights, family, config, native)
    conversion.check()
    _write_json(out / "config.json", native)
    _carry_tokenizer(folder, out, family)
    conversion.write(out)
    for path in sorted(folder.glob("*LICENSE*")):
        shutil.copyfile(path, out / path.name)


class _Conversion:
    """The tensors of a checkpoint under their native names, held against what the native class has."""

    def __init__(
        self, folder: Path, weights: list[str], family: str, config: Mapping[str, Any], native: dict[str, Any]
    ) -> None:
        self._paths = [folder / name for name in weights]
        self._family, self._config, self._folder = family, config, folder
        self._expected, self._tied = _skeleton(family, native)

    def check(self) -> None:
        """Refuse weights that are missing, unknown, of another shape, or tied and unequal, before any is written."""
        seen: dict[str, tuple[int, ...]] = {}
        for part, tensor in self._parts():
            if part.name in seen:
                raise ConversionError(f"{self._folder}: the weight {part.name} is there twice. Fetch it again.")
            seen[part.name] = tuple(tensor.shape)
        lists = {
            "missing": sorted(set(self._expected) - set(seen) - set(self._tied)),
            "unknown": sorted(set(seen) - set(self._expected)),
            "of another shape than config.json says": [
                f"{name} {list(shape)} instead of {list(self._expected[name])}"
                for name, shape in sorted(seen.items())
                if name in self._expected and shape != self._expected[name]
            ],
            "another than the one that it is tied to": self._unequal_ties(set(seen)),
        }
        wrong = [f"{len(names)} {what}: {', '.join(names[:8])}" for what, names in lists.items() if names]
        if wrong:
            raise ConversionError(
                f"{self._folder}: the weights do not fit the config.json ({'; '.join(wrong)}). Fetch the checkpoint "
                "again, whole, with the config.json that belongs to it."
            )

    def write(self, out: Path) -> None:
        """Write every weight once; one that is tied to another is left out."""
        from safetensors.torch import save_file

        places: dict[str, str] = {}
        total = 0
        for number, shard in enumerate(self._shards(), 1):
            name = f"model-{number:05d}.safetensors"
            save_file(shard, out / name, metadata={"format": "pt"})
            places |= dict.fromkeys(shard, name)
            total += sum(tensor.nbytes for tensor in shard.values())
        _write_json(out / f"{SAFE}.index.json", {"metadata": {"total_size": total}, "weight_map": places})

    def _shards(self) -> Iterator[dict[str, torch.Tensor]]:
        import torch

        shard: dict[str, torch.Tensor] = {}
        for part, tensor in self._parts():
            if part.name in self._tied:
                continue
            if shard and sum(one.nbytes for one in shard.values()) + tensor.nbytes > SHARD_BYTES:
                yield shard
                shard = {}
            # Rows of a larger tensor share its memory, which files must not; a whole one stays on disk until written.
            shares = tensor.untyped_storage().nbytes() != tensor.nbytes or not tensor.is_contiguous()
            shard[part.name] = tensor.clone(memory_format=torch.contiguous_format) if shares else tensor
        yield shard

    def _parts(self) -> Iterator[tuple[Part, torch.Tensor]]:
        for path in self._paths:
            for name, tensor in tensors_of(path):
                for part in native_parts(self._family, name, self._config):
                    yield part, tensor if part.rows is None else tensor[part.rows]

    def _unequal_ties(self, seen: set[str]) -> list[str]:
        ties = {name: target for name, target in self._tied.items() if name in seen}
        asked = {*ties, *ties.values()}
        digests = {part.name: _digest(tensor) for part, tensor in self._parts() if part.name in asked} if ties else {}
        return [name for name, target in ties.items() if digests[name] != digests.get(target)]


def _skeleton(family: str, native: dict[str, Any]) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """Return the shape of every weight of the native class, and which are tied to which, without making any."""
    import torch
    from huggingface_hub.errors import StrictDataclassError

    model_class = architecture(family, str(native.get("model_type")))
    try:
        with torch.device("meta"):
            model = model_class(model_class.config_class.from_dict(native))
    except StrictDataclassError as error:
        raise ConfigError(
            [f"{' '.join(str(error).split())} Fetch the config.json of the original checkpoint."]
        ) from error
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    tied = dict(model.all_tied_weights_keys)
    if family in ENCODER_DECODERS and native.get("tie_word_embeddings") is False:
        # T5's class ties its head whatever is said, and lets go again of one that is another in the files.
        del tied["lm_head.weight"]
    return shapes, tied


def _digest(tensor: torch.Tensor) -> bytes:
    import torch

    return hashlib.sha256(tensor.contiguous().view(torch.uint8).numpy().data).digest()


def _carry_tokenizer(folder: Path, out: Path, family: str) -> None:
    if (folder / "tokenizer.json").is_file():
        for name in TOKENIZER_FILES:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, out / name)
        return
    told = folder / "tokenizer_config.json"
    settings = json.loads(told.read_text(encoding="utf-8")) if told.is_file() else {}
    pieces = next(folder / name for name in SENTENCEPIECE if (folder / name).is_file())
    if family in ENCODER_DECODERS:
        write_t5_tokenizer(pieces, out, told=settings)
    else:
        write_fast_tokenizer(pieces, out, family=family, told=settings)


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")
