"""Passages: what of a question's documents fits a token budget."""

from __future__ import annotations

from typing import Any

from assets.factory import Heavy, Stage
from rc_pipeline.lake.build import Work
from rc_pipeline.lake.outcome import Outcome


def build(work: Work, _: Heavy) -> Outcome:
    """Choose the passages of a dataset's questions."""
    # Arrays and frames take a second to load, which a run with nothing to build should not pay.
    from rc_pipeline.passages.build import build_passages

    settings: dict[str, Any] = dict(work.settings)
    return build_passages(
        dataset=settings["dataset"],
        tables=work.folder("tables"),
        splits=settings["splits"],
        train_splits=settings["train_splits"],
        by_document=settings["by_document"],
        tokens=settings["tokens"],
        window_tokens=settings["window_tokens"],
        out=work.out,
        scratch=work.scratch,
    )


CHECKS = {
    "every_question_is_accounted_for": True,
    "passages_fit_the_budget": True,
    "windows_are_slices_of_their_documents": True,
}
STAGE = Stage(
    build,
    lambda _: CHECKS,
    "The windows of each question's documents that answer it best and fit the budget; `recall` is what that costs.",
)
