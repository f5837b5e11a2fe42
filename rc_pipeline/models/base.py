"""Base models as artifacts: where their files come from, and whether they are whole."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rc_pipeline.lake.hashing import sha256_file
from rc_pipeline.lake.outcome import JSON, Check, Outcome
from rc_pipeline.models.config_files import foreign_problems, read_object
from rc_pipeline.models.families import ENCODER_DECODERS, LOADED_AS, MODEL_TYPES, NATIVE, SENTENCEPIECE, read_in_place
from rc_pipeline.models.weight_files import weight_files, weight_shapes

LAYER_FIELDS = ("num_hidden_layers", "n_layer", "num_layers")
WIDTH_FIELDS = ("hidden_size", "n_embd", "d_model")
# What models are made by, under the names of all families; what is not there or null, its class asks for.
SIZES = (
    *LAYER_FIELDS, *WIDTH_FIELDS, "vocab_size", "padded_vocab_size", "intermediate_size", "ffn_hidden_size", "d_ff",
    "num_attention_heads", "n_head", "num_heads", "num_key_value_heads", "multi_query_group_num", "head_dim",
    "kv_channels", "d_kv", "n_positions", "max_position_embeddings", "seq_length", "n_inner", "num_decoder_layers",
)  # fmt: skip
NUMBERS = (
    "rms_norm_eps", "layernorm_epsilon", "layer_norm_epsilon", "scale_emb", "scale_depth", "dim_model_base",
    "rope_theta", "rope_ratio",
)  # fmt: skip


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
    scratch: Path,
) -> Outcome:
    """Bring a base model into `out`, or note where it lies, and check it."""
    _refuse_unknown_family(family)
    out.mkdir(parents=True, exist_ok=True)
    original = None
    if "shipped" in source:
        for name in sorted(files):
            shutil.copyfile(files[name], out / name)
    elif "folder" in source:
        if read_in_place(family, files):
            _note_files(files, out)
        else:
            original = _only_folder(files)
    elif "hub" in source:
        original = _fetched(source, family, scratch / "hub", out)
    elif "recipe" in source:
        _train_from_nothing(source, out)
    else:
        raise BaseModelError([f"source: {sorted(source)} is none of shipped, folder, hub or recipe."])
    if original is not None:
        _convert(original, family, out)
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
    return _only_folder(paths)


def describe_base(*, folder: Path, family: str) -> Outcome:
    """Check a checkpoint folder without loading it and return its size in figures."""
    _refuse_unknown_family(family)
    config, problems = _read_config(folder, family, LOADED_AS.get(family, family))
    shapes, more = weight_shapes(folder)
    problems += more
    problems += _tokenizer_problems(folder, config)
    if problems:
        raise BaseModelError(problems)
    weight_bytes = sum((folder / name).stat().st_size for name in weight_files(folder)[0])
    figures: dict[str, JSON] = {
        "family": family,
        "parameters": sum(math.prod(shape) for shape in shapes.values()),
        "layers": _first(config, LAYER_FIELDS),
        "width": _first(config, WIDTH_FIELDS),
        "vocabulary": config.get("vocab_size"),
        "megabytes": round(weight_bytes / 1e6, 2),
    }
    if family in LOADED_AS:
        figures["loaded_as"] = LOADED_AS[family]
    check = Check("checkpoint_is_whole", passed=True, description="Every weight file is as long as its header says.")
    return Outcome(metadata=figures, checks=(check,))


def _fetched(source: Mapping[str, Any], family: str, folder: Path, out: Path) -> Path | None:
    """Fetch a checkpoint; one that is loaded as it is moves into `out`, another is returned to be converted."""
    from rc_pipeline.models.hub import fetch_checkpoint

    fetch_checkpoint(str(source["hub"]), str(source["revision"]), folder)
    files = sorted(folder.iterdir())
    if not read_in_place(family, [path.name for path in files]):
        return folder
    for path in files:
        shutil.move(path, out / path.name)
    return None


def _convert(folder: Path, family: str, out: Path) -> None:
    """Write the native form of an original checkpoint, once it is known to be all there."""
    config, problems = _read_config(folder, family, MODEL_TYPES.get(family, family))
    names, more = weight_files(folder)
    problems += more
    wanted = ("tokenizer.json", *SENTENCEPIECE)
    if not any((folder / name).is_file() for name in wanted):
        problems.append(f"{folder}: there is none of {', '.join(wanted)}. Fetch one from the model's page.")
    if problems:
        raise BaseModelError(problems)
    from rc_pipeline.models.conversion import convert
    from rc_pipeline.models.mappings import ConfigError

    try:
        convert(folder, names, out, family=family, config=config)
    except ConfigError as error:
        raise BaseModelError([f"{folder / 'config.json'}: {problem}" for problem in error.problems]) from error


def _refuse_unknown_family(family: str) -> None:
    from rc_pipeline.models.architectures import ARCHITECTURES

    known = sorted([*ARCHITECTURES, NATIVE])
    if family not in known:
        raise BaseModelError([f"family: {family!r} is unknown; use one of {', '.join(known)}."])


def _only_folder(files: Mapping[str, Path]) -> Path:
    folders = sorted({path.parent for path in files.values()})
    if len(folders) != 1:
        raise BaseModelError(
            [f"{folders}: the files of a base model lie in {len(folders)} folders; put them into one."]
        )
    return folders[0]


def _read_config(folder: Path, family: str, model_type: str) -> tuple[dict[str, Any], list[str]]:
    path = folder / "config.json"
    if not path.exists():
        return {}, [f"{path}: missing. A checkpoint folder needs config.json, *.safetensors and tokenizer.json."]
    config, unreadable = read_object(path)
    if unreadable:
        return {}, unreadable
    found = config.get("model_type")
    problems = _value_problems(path, family, config) + foreign_problems(folder, config)
    if family == NATIVE:
        return config, [*_type_problems(path, str(found)), *problems]
    if found != model_type:
        stated = next((ours for ours, theirs in MODEL_TYPES.items() if theirs == found), found)
        remedy = f"State `family: {stated}` for this model, or point it at a {family} checkpoint."
        return config, [f"{path}: model_type is {found!r}, but the catalog says family {family!r}. {remedy}"]
    return config, problems


def _value_problems(path: Path, family: str, config: Mapping[str, Any]) -> list[str]:
    """Return which values are of another kind than models are made by."""
    remedy = "Fetch the config.json that belongs to the weights."
    problems = [
        f"{path}: {name} is {config[name]!r}, which is no positive {kind}. {remedy}"
        for names, kinds, kind in ((SIZES, (int,), "whole number"), (NUMBERS, (int, float), "number"))
        for name in names
        if config.get(name) is not None and not (type(config[name]) in kinds and config[name] > 0)
    ]
    start = config.get("decoder_start_token_id")
    if family in ENCODER_DECODERS and type(start) is not int:
        problems.append(f"{path}: decoder_start_token_id is {start!r}, so an answer would have no beginning. {remedy}")
    return problems


def _type_problems(path: Path, model_type: str) -> list[str]:
    from rc_pipeline.models.architectures import ModelLoadError, architecture

    stated = next((ours for ours, theirs in MODEL_TYPES.items() if theirs == model_type), model_type)
    if stated in {*LOADED_AS, *ENCODER_DECODERS}:
        return [f"{path}: model_type is {model_type!r}. State `family: {stated}` for this model."]
    try:
        architecture(NATIVE, model_type)
    except ModelLoadError as error:
        return [f"{path}: {error}"]
    return []


def _tokenizer_problems(folder: Path, config: Mapping[str, Any]) -> list[str]:
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        return [f"{path}: missing. Fetch it, or the tokenizer.model that it can be made from, from the model's page."]
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more special
        return [f"{path}: is no tokenizer ({error}). Fetch it again."]
    largest, size = max(tokenizer.get_vocab().values(), default=0), config.get("vocab_size")
    if isinstance(size, int) and largest >= size:
        return [
            f"{path}: has a token with the id {largest}, but the model knows {size} tokens (vocab_size). Put the "
            "tokenizer there that belongs to the model."
        ]
    return []


def _first(config: Mapping[str, Any], fields: tuple[str, ...]) -> int | None:
    return next((config[field] for field in fields if config.get(field) is not None), None)


def _note_files(files: Mapping[str, Path], out: Path) -> None:
    """Write what the files hold (content) and where they lie (not content)."""
    content = {name: {"bytes": path.stat().st_size, "sha256": sha256_file(path)} for name, path in files.items()}
    places = {name: str(path.absolute()) for name, path in files.items()}
    for name, data in (("files.json", content), ("_paths.json", places)):
        (out / name).write_text(json.dumps(data, indent=1, sort_keys=True), encoding="utf-8")


def _train_from_nothing(source: Mapping[str, Any], out: Path) -> None:
    if source["recipe"] != "rc_tiny":
        raise BaseModelError([f"source.recipe: {source['recipe']!r} is unknown; the only recipe is rc_tiny."])
    from rc_pipeline.models.pretraining import pretrain

    pretrain(out, seed=int(source["seed"]), steps=int(source["steps"]))
