"""Instruction sets: every row of a dataset through the task templates."""

from __future__ import annotations

from typing import Any

from assets.factory import Heavy, Stage
from rc_pipeline.catalog.eval_sets import ways_to_ask
from rc_pipeline.instructions.build import build_instructions
from rc_pipeline.lake.build import Work
from rc_pipeline.lake.outcome import Outcome


def build(work: Work, _: Heavy) -> Outcome:
    """Render a dataset's rows."""
    settings: dict[str, Any] = dict(work.settings)
    return build_instructions(
        dataset=settings["dataset"],
        fmt=settings["format"],
        columns=settings["columns"],
        passage_column=settings["passage_column"],
        tables=work.folder("tables"),
        passages=work.folder("passages") if "passages" in work.inputs else None,
        documents=work.folder("documents") if "documents" in work.inputs else None,
        templates=settings["templates"],
        train_splits=settings["train_splits"],
        splits=settings["splits"],
        unanswered=settings["unanswered"],
        holdout=settings["holdout"],
        duplicates=settings["duplicates"],
        shot_rows=settings["shot_rows"],
        asked_as=ways_to_ask((f"{settings['dataset']}/{one}" for one in settings["evaluate_on"]), settings["dataset"]),
        seed=settings["seed"],
        out=work.out,
    )


CHECKS = {
    "every_row_is_accounted_for": True,
    "instruction_ids_are_unique": True,
    "no_split_is_empty": False,
    "passages_can_be_cut": False,
}
STAGE = Stage(build, lambda _: CHECKS, "Instruction, input and output of every row; one file a split.")
