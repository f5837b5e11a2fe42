"""Validated tables: what the raw files say, and the rows that were put aside with the reason."""

from __future__ import annotations

from assets.factory import Heavy, Stage
from rc_pipeline.corpora.sources import raw_files
from rc_pipeline.lake.build import Work
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.tables.build import build_tables


def build(work: Work, _: Heavy) -> Outcome:
    """Read and validate a dataset's files."""
    return build_tables(
        dataset=str(work.settings["dataset"]),
        fmt=str(work.settings["format"]),
        # A user's own files are read where they lie now, not where they lay when raw/… was built.
        raw=work.files or raw_files(work.folder("raw")),
        tolerated=float(str(work.settings["tolerated"])),
        out=work.out,
    )


CHECKS = {
    "cosmos_qa": {"quarantine_within_tolerance": True, "labels_in_range": True, "splits_share_no_context": False},
    "trivia_qa": {
        "quarantine_within_tolerance": True,
        "every_cited_document_is_there": False,
        "splits_share_no_question": False,
    },
    "alpaca": {"quarantine_within_tolerance": True, "row_ids_are_unique": True},
}
STAGE = Stage(
    build,
    lambda node: CHECKS[str(node.settings["format"])],
    "Typed, checked rows in Parquet; bad rows are in quarantine with reason and line.",
)
