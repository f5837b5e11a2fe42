"""Predictions: a model's answers to an evaluation set, row by row from the cache where it has them."""

from __future__ import annotations

from typing import Any

from assets.adapters import base_spec, shots_spec
from assets.factory import Heavy, Stage
from rc_pipeline.lake.build import Work
from rc_pipeline.lake.canonical import sha256_json
from rc_pipeline.lake.outcome import JSON, Outcome


def build(work: Work, heavy: Heavy) -> Outcome:
    """Answer, and hand back what the prediction said."""
    return heavy("prediction", prediction_spec(work))


def prediction_spec(work: Work) -> dict[str, JSON]:
    """Return all that the prediction process needs to know."""
    settings: dict[str, Any] = dict(work.settings)
    split = settings["eval_set"].split("/")[1]
    tuned = "adapter" in work.inputs
    weights = [work.inputs[role].manifest.content for role in ("base", "adapter") if role in work.inputs]
    return {
        "run": settings["run"],
        "eval_set": settings["eval_set"],
        "base": base_spec(work),
        "adapter": str(work.folder("adapter")) if tuned else None,
        "prompt": settings["prompt"],
        "experiment": settings["answer"]["template"] is not None,
        "instructions": [str(work.folder("instructions") / f"{split}.parquet")],
        "rows": settings["rows"],
        "shots": shots_spec(work),
        "answer": settings["answer"],
        "seed": settings["seed"],
        "context_tokens": settings["context_tokens"],
        "weights": sha256_json(weights),
        # A row answered by other code is another answer.
        "cache_salt": sha256_json(dict(work.code)),
        "cache": str(work.lake / "cache" / "predictions"),
        # Rows go into the cache when the build has proved that its inputs held still.
        "pending": str(work.scratch / "cache" / "predictions"),
        "code": dict(work.code),
        "threads": None,
        "out": str(work.out),
    }


CHECKS = {"every_prompt_fits": False}
STAGE = Stage(build, lambda _: CHECKS, "Answers and option likelihoods, one row a question.")
