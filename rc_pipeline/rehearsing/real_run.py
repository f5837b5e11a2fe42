"""What the real run will write, against the room that there is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rc_pipeline.checkup.findings import Finding, ok, problem, warning
from rc_pipeline.lake.graph import Node
from rc_pipeline.lake.planner import Cached, Planner
from rc_pipeline.models.families import read_in_place
from rc_pipeline.training.forecast import trained_weights
from rc_pipeline.training.shapes import Shape, ShapeUnknown, read_shape

# Tables, passages and instructions, each about as large as the raw text that they hold.
COPIES_OF_RAW = 3
# Weights and the two moments of a checkpoint, one being written while the last one stands, and the adapter itself.
BYTES_OF_A_TRAINED_WEIGHT = 4 * (2 * 3 + 1)
BYTES = {"fp32": 4, "fp16": 2, "bf16": 2}
SPARE = 1.2


def disk(planner: Planner, keys: list[str], lake: Path, configs: Mapping[str, Path | None]) -> Finding:
    """Return whether what a run will write fits the disk; `configs` says where models have a config.json."""
    shapes = {name: _shape(folder) for name, folder in configs.items()}
    unknown = sorted(name for name, shape in shapes.items() if shape is None)
    needed = sum(_bytes(planner.graph[key], shapes) for key in keys if not isinstance(planner.state(key), Cached))
    free = shutil.disk_usage(lake).free
    but = f", without {', '.join(unknown)}" if unknown else ""
    says = f"about {_in_words(needed)} will be written{but}; {_in_words(free)} are free"
    if needed * SPARE > free:
        return problem("disk", says, "rc-pipeline gc deletes what no study needs; or set RC_LAKE to a larger disk")
    if unknown:
        return warning("disk", says, "rehearse again once they are there")
    return ok("disk", says)


def _shape(folder: Path | None) -> Shape | None:
    if folder is None:
        return None
    try:
        return read_shape(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, ShapeUnknown):
        return None


def _bytes(node: Node, shapes: Mapping[str, Shape | None]) -> int:
    """Return about how much an artifact will take."""
    settings: dict[str, Any] = dict(node.settings)
    name = node.key.partition("/")[2]
    base = node.needs["base"].key.partition("/")[2] if "base" in node.needs else name
    shape, lying = shapes.get(base), sum(_size(path) for path in node.files.values())
    match node.stage:
        case "tables":
            return COPIES_OF_RAW * lying
        case "base_models" if "hub" in settings["source"]:
            return _weights(shape) * BYTES["bf16"]
        case "base_models":
            return 0 if read_in_place(settings["family"], node.files) else lying
        case "merged":
            return _weights(shape) * BYTES[settings["dtype"]]
        case "adapters" if shape is not None:
            return trained_weights(shape, settings["tune"]) * BYTES_OF_A_TRAINED_WEIGHT
    return 0


def _in_words(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _weights(shape: Shape | None) -> int:
    return 0 if shape is None else shape.layer_weights + shape.other_weights


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return path.stat().st_size if path.exists() else 0
