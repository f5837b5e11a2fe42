"""What the trainings of a plan will take: memory of a GPU, and steps; nothing of a model is loaded for it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rc_pipeline.lake.graph import Node
from rc_pipeline.lake.planner import Cached, Planner
from rc_pipeline.training.forecast import forecast
from rc_pipeline.training.mixture import mixture
from rc_pipeline.training.shapes import Shape, ShapeUnknown, read_shape

# Where only the answer is learned, so many of a row's tokens are thought to be its answer.
ANSWER_TOKENS = 128


@dataclass(frozen=True)
class Ahead:
    """A training to come: bytes on a GPU for a row at a time, least and with activations kept; None if unknown."""

    row_tokens: int
    gpu_bytes: int | None = None
    gpu_bytes_kept: int | None = None
    steps: int | None = None
    unknown: tuple[str, ...] = ()

    def in_words(self) -> str:
        """Return it as one line."""
        said = []
        if self.gpu_bytes is not None and self.gpu_bytes_kept is not None:
            least, kept = (f"{each / 1e9:.1f} GB" for each in (self.gpu_bytes, self.gpu_bytes_kept))
            twice = f" ({kept} without computing activations twice)" if kept != least else ""
            said.append(f"predicted: {least} on a GPU at {self.row_tokens:,} tokens{twice}")
        if self.steps is not None:
            said.append(f"{self.steps:,} steps")
        return "; ".join([*said, *self.unknown])


def ahead(node: Node, planner: Planner, config: Path | None = None) -> Ahead:
    """Return what is known before its training of an adapter that will be built.

    `config` is a config.json of the base model that lies elsewhere than where it is built from.
    """
    settings: dict[str, Any] = dict(node.settings)
    tune, unknown = settings["tune"], list[str]()
    in_front = tune["virtual_tokens"] if tune["method"] in {"prefix", "prompt"} else 0
    tokens = min(tune["max_tokens"], settings["context_tokens"] - in_front)
    least = kept = None
    try:
        shape = _shape(node, planner, config)
        if shape is None:
            unknown.append(f"memory: known once the config.json of {node.needs['base'].key} is there")
        else:
            least, kept = _bytes(shape, tune, tokens)
    except ShapeUnknown as error:
        unknown.append(f"memory: {error}")
    rows = _rows(node, planner)
    if isinstance(rows, str):
        unknown.append(f"steps: known once {rows} is built")
        return Ahead(tokens, least, kept, None, tuple(unknown))
    learned = rows - math.ceil(tune["eval_share"] * rows)
    steps = max(1, math.ceil(tune["epochs"] * math.ceil(learned / tune["batch_size"]) - 1e-9))
    return Ahead(tokens, least, kept, steps, tuple(unknown))


def _shape(node: Node, planner: Planner, config: Path | None) -> Shape | None:
    """Read the base model's sizes where it lies, or else of what it will be made of."""
    base = planner.graph[node.needs["base"].key]
    state = planner.state(base.key)
    places = [node.files.get("config.json"), base.files.get("config.json"), config]
    if isinstance(state, Cached):
        places.insert(1, state.artifact.folder / "config.json")
    path = next((place for place in places if place is not None and place.is_file()), None)
    return None if path is None else read_shape(_read(path))


def _read(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ShapeUnknown(f"{path}: {error}") from error
    if not isinstance(config, dict):
        raise ShapeUnknown(f"{path}: holds a {type(config).__name__}, not an object")
    return config


def _bytes(shape: Shape, tune: Mapping[str, Any], tokens: int) -> tuple[int, int]:
    """Return the least that one row at a time takes, and what it takes with all activations kept."""
    labels = min(tokens, ANSWER_TOKENS) if tune["loss_on"] == "answer" else tokens
    found = [
        forecast(
            shape, tune, tokens=tokens, labels=labels, bf16=tune["precision"] != "fp32", checkpointing=checkpointing
        ).total
        for checkpointing in (True, False)
    ]
    if tune["method"] == "prefix":
        return found[1], found[1]
    return found[0], found[0] if tune["gradient_checkpointing"] else max(found)


def _rows(node: Node, planner: Planner) -> int | str:
    """Return how many rows there are to train on at most, or what has to be built before that is known."""
    asked: dict[str, int | str | None] = dict(node.settings["rows"])  # type: ignore[arg-type]
    parts: dict[str, Any] = dict(node.settings["mixture"])  # type: ignore[arg-type]
    languages = parts.get("languages", ())
    available = dict.fromkeys(asked, 0)
    for role in sorted(node.needs):
        if not role.startswith("train."):
            continue
        _, name, split = role.split(".", 2)
        state = planner.state(node.needs[role].key)
        if not isinstance(state, Cached):
            return node.needs[role].key
        counted = [f"rows: {split}"]
        if languages:
            templates: dict[str, Any] = dict(planner.graph[node.needs[role].key].settings["templates"])  # type: ignore[arg-type]
            counted = [f"template: {split}: {each}" for each, one in templates.items() if one["language"] in languages]
        figures = state.artifact.manifest.results().metadata
        available[name] += sum(int(str(figures.get(each, 0))) for each in counted)
    return sum(mixture(available, asked, rows=parts["rows"], temperature=parts["temperature"]).values())
