"""Base models as artifacts: where their files come from, and whether they are whole."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rc_pipeline.lake.hashing import sha256_file
from rc_pipeline.lake.outcome import Check, Outcome

NOT_YET = ("chatglm2", "minicpm", "t5")
FILES_WANTED = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "tokenizer.model", "LICENSE*")
LAYER_FIELDS = ("num_hidden_layers", "n_layer")
WIDTH_FIELDS = ("hidden_size", "n_embd")


class BaseModelError(ValueError):
    """A base model that cannot be used, with every problem found and its remedy."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def write_base(
    *,
    source: Mapping[str, Any],
    family: str,
    files: Mapping[str, Path],
    out: Path,
    progress: Callable[[dict[str, float]], None] | None = None,
) -> Outcome:
    """Bring a base model into `out` (or note where it lies) and check it."""
    _refuse_unknown_family(family)
    out.mkdir(parents=True, exist_ok=True)
    if "shipped" in source:
        for name in sorted(files):
            shutil.copyfile(files[name], out / name)
    elif "folder" in source:
        _note_files(files, out)
    elif "hub" in source:
        _download(str(source["hub"]), str(source["revision"]), out)
    elif "recipe" in source:
        _train_from_nothing(source, out, progress)
    else:
        raise BaseModelError([f"source: {sorted(source)} is none of shipped, folder, hub or recipe."])
    return describe_base(folder=base_folder(out), family=family)


def base_folder(artifact: Path) -> Path:
    """Return the folder to load a base model from: the artifact, or where its noted files lie."""
    noted = artifact / "_paths.json"
    if not noted.is_file():
        return artifact
    paths = {name: Path(path) for name, path in json.loads(noted.read_text(encoding="utf-8")).items()}
    gone = sorted(str(path) for path in paths.values() if not path.is_file())
    if gone:
        raise BaseModelError([f"{path}: the base model's file is gone. Put it back, or build again." for path in gone])
    folders = sorted({path.parent for path in paths.values()})
    if len(folders) != 1:
        raise BaseModelError([f"{artifact}: its files lie in {len(folders)} folders; put them into one."])
    return folders[0]


def describe_base(*, folder: Path, family: str) -> Outcome:
    """Check a checkpoint folder without loading it and return its size in figures."""
    _refuse_unknown_family(family)
    config, problems = _read_config(folder, family)
    shapes, more = _weight_shapes(folder)
    problems += more
    if not (folder / "tokenizer.json").is_file():
        problems.append(
            f"{folder}/tokenizer.json: missing. Convert the tokenizer once with transformers' "
            "`AutoTokenizer.from_pretrained(folder).save_pretrained(folder)`."
        )
    if problems:
        raise BaseModelError(problems)
    parameters = sum(math.prod(shape) for shape in shapes.values())
    weight_bytes = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    return Outcome(
        metadata={
            "family": family,
            "parameters": parameters,
            "layers": _first(config, LAYER_FIELDS),
            "width": _first(config, WIDTH_FIELDS),
            "vocabulary": config.get("vocab_size"),
            "megabytes": round(weight_bytes / 1e6, 2),
        },
        checks=(
            Check("checkpoint_is_whole", passed=True, description="Every weight file is as long as its header says."),
        ),
    )


def _refuse_unknown_family(family: str) -> None:
    from rc_pipeline.models.loading import ARCHITECTURES

    if family in NOT_YET:
        raise BaseModelError(
            [f"family: {family} checkpoints cannot be read yet. Use one of {', '.join(sorted(ARCHITECTURES))}."]
        )
    if family not in ARCHITECTURES:
        raise BaseModelError([f"family: {family!r} is unknown; use one of {', '.join(sorted(ARCHITECTURES))}."])


def _read_config(folder: Path, family: str) -> tuple[dict[str, Any], list[str]]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, [f"{path}: missing. A checkpoint folder needs config.json, *.safetensors and tokenizer.json."]
    except (ValueError, OSError) as error:
        return {}, [f"{path}: cannot be read as JSON ({error}). Fetch the checkpoint again."]
    if not isinstance(config, dict):
        return {}, [f"{path}: holds a {type(config).__name__}, not an object. Fetch the checkpoint again."]
    found = config.get("model_type")
    if found != family:
        remedy = f"State `family: {found}` for this model, or point it at a {family} checkpoint."
        return config, [f"{path}: model_type is {found!r}, but the catalog says family {family!r}. {remedy}"]
    return config, []


def _weight_shapes(folder: Path) -> tuple[dict[str, list[int]], list[str]]:
    """Return the shape of every weight by name, and what is wrong with the weight files."""
    names, problems = _weight_files(folder)
    shapes: dict[str, list[int]] = {}
    for name in names:
        header, problem = _safetensors_header(folder / name)
        if problem:
            problems.append(problem)
        shapes |= {key: value["shape"] for key, value in header.items() if key != "__metadata__"}
    return shapes, problems


def _weight_files(folder: Path) -> tuple[list[str], list[str]]:
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file():
        return ["model.safetensors"], []
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (ValueError, KeyError, AttributeError) as error:
            return [], [f"{index}: is no index of weights ({error!r}). Fetch the checkpoint again."]
        missing = [name for name in names if not (folder / name).is_file()]
        problems = [f"{folder / name}: named in {index.name}, but missing. Fetch it." for name in missing]
        return [name for name in names if name not in missing], problems
    pickled = sorted(path.name for path in [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")])
    if pickled:
        return [], [
            f"{folder / pickled[0]}: weights in pickle form can run code when they are read, so they are not. "
            "Fetch the safetensors files of this model, or convert it once with transformers' "
            "`save_pretrained(folder)` on a machine that may run it."
        ]
    return [], [f"{folder}: there is neither model.safetensors nor model.safetensors.index.json. Fetch the weights."]


def _safetensors_header(path: Path) -> tuple[dict[str, Any], str]:
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
            header: dict[str, Any] = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
            expected = 8 + length + max(ends, default=0)
        except (ValueError, KeyError, TypeError, AttributeError):
            return {}, f"{path}: is no safetensors file. Fetch the file again."
    if size != expected:
        return header, f"{path}: {size} bytes long, but its header speaks of {expected}. Fetch the file again."
    return header, ""


def _first(config: Mapping[str, Any], fields: tuple[str, ...]) -> int | None:
    return next((int(config[field]) for field in fields if field in config), None)


def _note_files(files: Mapping[str, Path], out: Path) -> None:
    """Write what the files hold (content) and where they lie (not content)."""
    content = {name: {"bytes": path.stat().st_size, "sha256": sha256_file(path)} for name, path in files.items()}
    places = {name: str(path.absolute()) for name, path in files.items()}
    for name, data in (("files.json", content), ("_paths.json", places)):
        (out / name).write_text(json.dumps(data, indent=1, sort_keys=True), encoding="utf-8")


def _download(model: str, revision: str, out: Path) -> None:
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(model, revision=revision, local_dir=out, allow_patterns=list(FILES_WANTED))
    except Exception as error:
        raise BaseModelError(
            [
                f"source.hub: {model} at revision {revision} could not be fetched ({type(error).__name__}: {error}). "
                "Check the name, the revision and the network; or fetch it by hand and use `folder:`."
            ]
        ) from error
    # The hub's client leaves its own cache folder with times in it; the artifact must be content alone.
    shutil.rmtree(out / ".cache", ignore_errors=True)


def _train_from_nothing(
    source: Mapping[str, Any], out: Path, progress: Callable[[dict[str, float]], None] | None
) -> None:
    if source["recipe"] != "rc_tiny":
        raise BaseModelError([f"source.recipe: {source['recipe']!r} is unknown; the only recipe is rc_tiny."])
    from rc_pipeline.models.pretraining import pretrain

    pretrain(out, seed=int(source["seed"]), steps=int(source["steps"]), on_progress=progress)
