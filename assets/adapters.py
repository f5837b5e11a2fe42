"""Adapters: a base model tuned on instruction sets, in a process of its own."""

from __future__ import annotations

from typing import Any

from assets.factory import Heavy, Stage
from rc_pipeline.instructions.drawing import shots_file
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
        "train": [{"dataset": name, "files": list(paths), "rows": rows[name]} for name, paths in files.items()],
        "shots": shots_spec(work),
        "mixture": settings["mixture"],
        "tune": settings["tune"],
        "context_tokens": settings["context_tokens"],
        "seed": settings["seed"],
        "threads": None,
        "out": str(work.out),
        "scratch": str(work.scratch),
        "code": dict(work.code),
        # What a tracked training goes by.
        "key": work.key,
        "fingerprint": work.scratch.name,
    }


def shots_spec(work: Work) -> dict[str, JSON] | None:
    """Return how solved examples are found, and the files of each dataset that they are drawn from."""
    plan = work.settings["shots"]
    if not isinstance(plan, dict):
        return None
    files = dict[str, list[str]]()
    for role in sorted(work.inputs):
        if role.startswith("shots."):
            _, dataset, template = role.split(".")
            files.setdefault(dataset, []).append(str(work.folder(role) / shots_file(template)))
    return {**plan, "files": dict[str, Any](files)}


def base_spec(work: Work) -> dict[str, JSON]:
    """Return where the base model lies and how it is loaded."""
    folder = next(iter(work.files.values())).parent if work.files else base_folder(work.folder("base"))
    name = work.inputs["base"].manifest.key.removeprefix("base_models/")
    return {"name": name, "folder": str(folder), "family": work.settings["family"]}


CHECKS = {
    "loss_is_finite": True,
    "supervised_spans_are_exact": True,
    "adapter_changes_the_model": True,
    "reloaded_adapter_equals_trained": True,
}
STAGE = Stage(build, lambda _: CHECKS, "Trained weights, the prompt template they were trained with, and the loss.")
