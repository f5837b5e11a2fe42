"""Validated tables: what the raw files say, and the rows that were put aside with the reason."""

from __future__ import annotations

from typing import Any

from assets.factory import Heavy, Stage
from rc_pipeline.corpora.sources import raw_files
from rc_pipeline.lake.build import Work
from rc_pipeline.lake.graph import Node
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.tables.build import build_tables


def build(work: Work, _: Heavy) -> Outcome:
    """Read and validate a dataset's files."""
    settings: dict[str, Any] = dict(work.settings)
    return build_tables(
        dataset=settings["dataset"],
        fmt=settings["format"],
        # A user's own files are read where they lie now, not where they lay when raw/… was built.
        raw=work.files or raw_files(work.folder("raw")),
        tolerated=settings["tolerated"],
        options=settings["options"],
        expected=settings["expected"],
        out=work.out,
    )


ROWS = {"quarantine_within_tolerance": True, "row_ids_are_unique": True, "splits_are_disjoint": False}
MORE: dict[str, dict[str, bool]] = {
    "cosmos_qa": {"labels_in_range": True},
    "parallel": {"sides_are_in_their_languages": False},
}
TRIVIA = {
    "foreign_keys_hold": True,
    "quarantine_within_tolerance": True,
    "every_cited_document_is_there": False,
    "splits_share_no_question": False,
}


def _checks(node: Node) -> dict[str, bool]:
    fmt = str(node.settings["format"])
    checks = TRIVIA if fmt == "trivia_qa" else ROWS | MORE.get(fmt, {})
    return checks | {"published_counts": False} if node.settings["expected"] else checks


STAGE = Stage(
    build,
    _checks,
    "Typed, checked rows in Parquet; bad rows are in quarantine with reason and line.",
)
