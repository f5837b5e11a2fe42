"""Rows as task templates see them, whatever the format: the tables say what each row holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import polars as pl

from rc_pipeline.instructions.evidence import dropped_questions, question_rows

BATCH_ROWS = 8192


def split_is_present(tables: Path, passages: Path | None, split: str) -> bool:
    """Tell whether the tables hold a split."""
    return ((tables if passages is None else passages) / f"{split}.parquet").is_file()


def row_batches(tables: Path, passages: Path | None, split: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Yield the rows of a split with what a template may show, `group` and `gold_answers`, some thousand at a time."""
    import pyarrow.parquet as pq

    wanted = ["row_id", "group", *columns, "gold_answers"]
    if passages is not None:
        for frame in question_rows(tables, passages, split).iter_slices(BATCH_ROWS):
            yield frame.select(wanted)
        return
    with pq.ParquetFile(tables / f"{split}.parquet") as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=wanted):
            yield cast("pl.DataFrame", pl.from_arrow(batch)).select(wanted)


def left_out(passages: Path | None, split: str) -> list[tuple[str, str]]:
    """Return (row_id, reason) of the rows of a split that no passage could be chosen for."""
    return [] if passages is None else dropped_questions(passages, split)
