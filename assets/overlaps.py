"""Overlaps: what an evaluation set has in common with a training set."""

from __future__ import annotations

from typing import Any

from assets.factory import Heavy, Stage
from rc_pipeline.lake.build import Work
from rc_pipeline.lake.outcome import Outcome


def build(work: Work, _: Heavy) -> Outcome:
    """Compare the rows of an evaluation set with training rows."""
    # Arrays and frames take a second to load, which a run with nothing to build should not pay.
    from rc_pipeline.overlaps.build import Dataset, build_overlaps

    settings: dict[str, Any] = dict(work.settings)

    def dataset(role: str) -> Dataset:
        passages = f"{role}_passages"
        return Dataset(
            **settings[role],
            tables=work.folder(f"{role}_tables"),
            passages=work.folder(passages) if passages in work.inputs else None,
        )

    return build_overlaps(taught=dataset("train"), asked=dataset("asked"), split=settings["split"], out=work.out)


CHECKS = {"every_row_was_compared": True, "no_overlap": False}
STAGE = Stage(
    build,
    lambda _: CHECKS,
    "Evaluation rows that training has seen: the same passage or question, near copies, thirteen words in a row.",
)
