"""The weight files of a checkpoint folder: which there are, what is in them, and their tensors one by one."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
# Safetensors come first: the other files of the same checkpoint say the same, in pickle form.
LAYOUTS = (SAFE, f"{SAFE}.index.json", PICKLED, f"{PICKLED}.index.json")
# As the format's own library has it.
HEADER_BYTES = 100_000_000
FETCH_SAFE = (
    "Fetch the safetensors files of this model, or convert it once with transformers' `save_pretrained(folder)` on a "
    "machine that may run it."
)


class WeightsError(ValueError):
    """A weight file that cannot be read; the message says what to do."""


def weight_files(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of the weight files, and what is wrong with them as a set."""
    layout = next((name for name in LAYOUTS if (folder / name).is_file()), None)
    if layout is None:
        others = sorted(path.name for path in [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")])
        said = f" ({', '.join(others[:3])} has none of these names)" if others else ""
        return [], [f"{folder}: there is none of {', '.join(LAYOUTS)}{said}. Fetch the weights."]
    if not layout.endswith(".index.json"):
        return [layout], []
    index = folder / layout
    try:
        names = sorted({str(name) for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()})
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        return [], [f"{index}: is no index of weights ({error!r}). Fetch the checkpoint again."]
    foreign = [name for name in names if Path(name).name != name]
    problems = [f"{index}: names {name!r}, which is no file of this folder. Fetch it again." for name in foreign]
    missing = [name for name in names if name not in foreign and not (folder / name).is_file()]
    problems += [f"{folder / name}: named in {index.name}, but missing. Fetch it." for name in missing]
    return [name for name in names if name not in (*foreign, *missing)], problems


def safetensors_header(path: Path) -> tuple[dict[str, Any], str]:
    """Return a safetensors header, or what is wrong with the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if start == b"version ":
            return {}, f"{path}: is a Git LFS pointer and no weights. Run `git lfs pull` in its folder."
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > size - 8:
            return {}, f"{path}: cut off in its header ({size} bytes). Fetch the file again."
        try:
            header = _entries(file.read(length)) if length <= HEADER_BYTES else None
        except (ValueError, RecursionError):
            header = None
    if header is None:
        return {}, f"{path}: is no safetensors file. Fetch the file again."
    expected = 8 + length + max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if size != expected:
        return header, f"{path}: {size} bytes long, but its header speaks of {expected}. Fetch the file again."
    return header, ""


def _entries(text: bytes) -> dict[str, Any] | None:
    """Return what a header says of each weight; nothing where it is none."""
    header = json.loads(text)
    if not isinstance(header, dict):
        return None
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    return entries if all(map(_is_entry, entries.values())) else None


def _is_entry(entry: Any) -> bool:
    if not (isinstance(entry, dict) and isinstance(entry.get("dtype"), str)):
        return False
    shape, places = entry.get("shape"), entry.get("data_offsets")
    numbers = [*shape, *places] if isinstance(shape, list) and isinstance(places, list) and len(places) == 2 else [None]
    return all(type(number) is int and number >= 0 for number in numbers)


def weight_shapes(folder: Path) -> tuple[dict[str, list[int]], list[str]]:
    """Return the shape of every weight of a folder of safetensors, and what is wrong with the files."""
    names, problems = weight_files(folder)
    shapes: dict[str, list[int]] = {}
    for name in names:
        header, problem = safetensors_header(folder / name)
        if problem:
            problems.append(problem)
        shapes |= {key: value["shape"] for key, value in header.items()}
    return shapes, problems


def tensors_of(path: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors of a weight file, none of them in memory before it is touched."""
    if path.suffix != ".safetensors":
        yield from _pickled_tensors(path).items()
        return
    from safetensors import safe_open

    _, problem = safetensors_header(path)
    if problem:
        raise WeightsError(problem)
    with safe_open(str(path), framework="pt") as file:
        for name in file.keys():  # noqa: SIM118 (it is no mapping)
            yield name, file.get_tensor(name)


def _pickled_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict that is tensors alone; a pickle that asks for anything else is never carried out."""
    import torch

    with path.open("rb") as file:
        start = file.read(8)
    if start == b"version ":
        raise WeightsError(f"{path}: is a Git LFS pointer and no weights. Run `git lfs pull` in its folder.")
    if start[:4] != b"PK\x03\x04":
        raise WeightsError(f"{path}: is cut off, or in the form of PyTorch before 1.6. {FETCH_SAFE}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path}: holds more than tensors, which could run code, so it is not read. {FETCH_SAFE}"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise WeightsError(f"{path}: cannot be read ({str(error).splitlines()[0]}). Fetch the file again.") from error
    if not isinstance(state, dict) or not all(isinstance(one, torch.Tensor) for one in state.values()):
        raise WeightsError(f"{path}: is no state dict of tensors by name. {FETCH_SAFE}")
    return {str(name): tensor for name, tensor in state.items()}
