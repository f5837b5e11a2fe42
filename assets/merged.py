"""Merged models: what a run learnt within its base model's weights, in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from assets.adapters import base_spec
from assets.factory import Heavy, Stage
from assets.predictions import prediction_spec
from rc_pipeline.lake.build import Work
from rc_pipeline.lake.outcome import JSON, Outcome


def build(work: Work, heavy: Heavy) -> Outcome:
    """Merge, and hand back what the merging said."""
    return heavy("merging", merging_spec(work))


def merging_spec(work: Work) -> dict[str, JSON]:
    """Return all that the merging process needs to know."""
    settings: dict[str, Any] = dict(work.settings)
    return {
        **{name: settings[name] for name in ("run", "dtype", "context_tokens")},
        "base": base_spec(work),
        "adapter": str(work.folder("adapter")),
        "asked": [_asked(work, eval_set) for eval_set in settings["eval_sets"]],
        "card": settings["card"] | _provenance(work, settings["card"]),
        "out": str(work.out),
        "scratch": str(work.scratch),
        "code": dict(work.code),
        "threads": None,
    }


def _asked(work: Work, eval_set: str) -> dict[str, JSON]:
    """Return how the run was asked, what it said and how that was judged."""
    roles = {role.removeprefix(f"{eval_set}:"): role for role in work.inputs if role.startswith(f"{eval_set}:")}
    asked = work.inputs[roles["predictions"]].manifest.inputs
    inputs = {role: work.inputs[own] for role, own in roles.items()}
    inputs |= {role: work.inputs[role] for role in ("base", "adapter")}
    judged: Mapping[str, Any] = work.inputs[roles["scores"]].manifest.inputs["settings"]
    return {
        "prediction": prediction_spec(replace(work, settings=asked["settings"], inputs=inputs, code=asked["code"])),
        "predictions": str(work.folder(roles["predictions"]) / "predictions.parquet"),
        "scores": str(work.folder(roles["scores"]) / "scores.parquet"),
        "scoring": {
            "run": judged["run"],
            "eval_set": eval_set,
            "kind": judged["scored_as"],
            "about": judged["about"],
            "seed": judged["seed"],
        },
    }


def _provenance(work: Work, card: Mapping[str, Any]) -> dict[str, JSON]:
    """Return from which bytes a model is made, and what its training counted."""
    counted = work.inputs["adapter"].manifest.results().metadata
    rows = {name: counted.get(f"rows_from_{name}") for name in card["data"]}
    contents: dict[str, JSON] = {}
    for artifact in work.inputs.values():
        contents[artifact.manifest.key] = artifact.manifest.content
    return {
        "data": [{"name": name, **told, "rows": rows[name]} for name, told in card["data"].items()],
        "training": {name: counted.get(name) for name in ("steps", "examples", "tokens", "final_loss")},
        "contents": dict(sorted(contents.items())),
    }


CHECKS = {
    "published_logits_equal_the_run": True,
    "chat_template_writes_the_prompt": True,
    "published_answers_equal_the_run": True,
    "published_scores_hold": True,
}
STAGE = Stage(build, lambda _: CHECKS, "Weights, tokenizer, chat template and model card for any other program.")
