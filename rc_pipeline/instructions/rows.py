"""Rows as task templates see them, whatever the format: the tables say what each row holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import polars as pl

from rc_pipeline.instructions.evidence import dropped_questions, question_batches
from rc_pipeline.lake.canonical import stable_hash

BATCH_ROWS = 8192


@dataclass(frozen=True)
class Holdout:
    """Shares of the training rows that are kept for evaluation, by split; a passage goes with all of its rows."""

    shares: Mapping[str, float]
    train_splits: Sequence[str]
    seed: int

    def split_of(self, group: str) -> str | None:
        """Return the split that a group is held out for; another share moves no other group."""
        for split in sorted(self.shares, reverse=True):
            if stable_hash(self.seed, "holdout", split, group) < self.shares[split] * 2**64:
                return split
        return None

    def of(self, batch: pl.DataFrame, split: str) -> pl.DataFrame:
        """Return the rows of a batch of training rows that belong to a split."""
        wanted = split if split in self.shares else None
        groups = [group for group in batch["group"].unique().to_list() if self.split_of(group) == wanted]
        return batch.filter(pl.col("group").is_in(groups))


def split_batches(
    tables: Path, passages: Path | None, split: str, columns: Sequence[str], holdout: Holdout
) -> Iterator[pl.DataFrame]:
    """Yield the rows of a split, be it one of the publisher's or one that is held out of the training rows."""
    if split not in holdout.shares and split not in holdout.train_splits:
        yield from row_batches(tables, passages, split, columns)
        return
    for source in holdout.train_splits if split in holdout.shares else [split]:
        if split_is_present(tables, passages, source):
            for batch in row_batches(tables, passages, source, columns):
                yield holdout.of(batch, split) if holdout.shares else batch


def split_is_present(tables: Path, passages: Path | None, split: str) -> bool:
    """Tell whether the tables hold a split."""
    return ((tables if passages is None else passages) / f"{split}.parquet").is_file()


def row_batches(tables: Path, passages: Path | None, split: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Yield the rows of a split with what a template may show, `group` and `gold_answers`, some thousand at a time."""
    import pyarrow.parquet as pq

    wanted = ["row_id", "group", *columns, "gold_answers"]
    if passages is not None:
        for frame in question_batches(tables, passages, split, BATCH_ROWS):
            yield frame.select(wanted)
        return
    with pq.ParquetFile(tables / f"{split}.parquet", pre_buffer=False) as file:
        # One row group after another: tables put no more text into one than fits into memory.
        for group in range(file.num_row_groups):
            for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=wanted):
                yield cast("pl.DataFrame", pl.from_arrow(batch)).select(wanted)


def left_out(passages: Path | None, split: str) -> list[tuple[str, str]]:
    """Return (row_id, reason) of the rows of a split that no passage could be chosen for."""
    return [] if passages is None else dropped_questions(passages, split)
