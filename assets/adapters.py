"""Adapters: a base model tuned on instruction sets, in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assets.factory import Heavy, Stage
from rc_pipeline.lake.build import Work
from rc_pipeline.lake.outcome import JSON, Outcome
from rc_pipeline.models.base import base_folder


def build(work: Work, heavy: Heavy) -> Outcome:
    """Train, and hand back what the training said."""
    return heavy("training", training_spec(work))


def training_spec(work: Work) -> dict[str, JSON]:
    """Return all that the training process needs to know."""
    settings: dict[str, Any] = dict(work.settings)
    rows, files = settings["rows"], dict[str, list[str]]()
    for role in sorted(work.inputs):
        if role.startswith("train."):
            _, dataset, split = role.split(".", 2)
            files.setdefault(dataset, []).append(str(work.folder(role) / f"{split}.parquet"))
    return {
        "base": base_spec(work),
        "prompt": settings["prompt"],
        "train": [
            {"dataset": name, "files": list(files[name]), "rows": settings["rows"][name]} for name in sorted(files)
        ],
        "tune": settings["tune"],
        "context_tokens": settings["context_tokens"],
        "seed": settings["seed"],
        "threads": None,
        "out": str(work.out),
        "scratch": str(work.scratch),
    }


def base_spec(work: Work) -> dict[str, JSON]:
    """Return where the base model lies and how it is loaded."""
    folder: Path = base_folder(work.folder("base"))
    name = work.inputs["base"].manifest.key.removeprefix("base_models/")
    return {"name": name, "folder": str(folder), "family": work.settings["family"]}


STAGE = Stage(build, lambda _: {}, "Trained weights, the prompt template they were trained with, and the loss.")
