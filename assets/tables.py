"""Validated tables: what the raw files say, and the rows that were put aside with the reason."""

from __future__ import annotations

from rc_pipeline.tables.build import build_tables

from assets.factory import Heavy, Stage
from rc_pipeline.corpora.sources import raw_files
from rc_pipeline.lake.build import Work
from rc_pipeline.lake.outcome import Outcome


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


STAGE = Stage(build, lambda _: {}, "Typed, checked rows in Parquet; bad rows are in quarantine with reason and line.")
