"""Reports: what a study found, from its scores alone."""

from __future__ import annotations

from typing import Any

from assets.factory import Heavy, Stage
from rc_pipeline.lake.build import Work
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.reporting.build import CHECKS, write_report


def build(work: Work, _: Heavy) -> Outcome:
    """Write the page and the pictures of a study."""
    settings: dict[str, Any] = dict(work.settings)
    canonical = sorted({run["run"] for run in settings["runs"]})
    scores = {
        (run, eval_set): work.folder(f"scores.{run}/{eval_set}") / "scores.parquet"
        for run in canonical
        for eval_set in settings["eval_sets"]
    }
    training = {run: f"training.{run}" for run in canonical if f"training.{run}" in work.inputs}
    return write_report(
        study=settings["study"],
        title=settings["title"],
        description=settings["description"],
        runs=settings["runs"],
        eval_sets=settings["eval_sets"],
        scores=scores,
        training={run: work.folder(role) / "training.json" for run, role in training.items()},
        overlaps=[
            work.folder(role) / "overlaps.parquet" for role in sorted(work.inputs) if role.startswith("overlaps.")
        ],
        out=work.out,
    )


STAGE = Stage(build, lambda _: CHECKS, "The comparison table, the ablations and the plots of a study.")
