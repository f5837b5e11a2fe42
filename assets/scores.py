"""Scores: predictions against what is right, with intervals, one verdict a question."""

from __future__ import annotations

from typing import Any

from assets.factory import Heavy, Stage
from rc_pipeline.lake.build import Work
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.scoring.build import CHECKS, score


def build(work: Work, _: Heavy) -> Outcome:
    """Score one run on one evaluation set."""
    settings: dict[str, Any] = dict(work.settings)
    split = settings["eval_set"].split("/")[1]
    return score(
        run=settings["run"],
        eval_set=settings["eval_set"],
        kind=settings["scored_as"],
        about=settings["about"],
        predictions=work.folder("predictions") / "predictions.parquet",
        instructions=work.folder("instructions") / f"{split}.parquet",
        limit=settings["rows"],
        seed=settings["seed"],
        out=work.out,
    )


STAGE = Stage(build, lambda _: CHECKS, "Each measure with its 95 % interval, and the verdict on every question.")
