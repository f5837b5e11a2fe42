"""Overlaps: each row of an evaluation set beside all rows that are trained on.

The evaluation set is held in memory and the training rows stream past it, so that memory grows with
the smaller of the two. What is compared are the columns of the tables (see texts.py), so that neither
the words of templates count nor does editing a template compare anything again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from rc_pipeline.instructions.rows import Holdout, split_batches, split_is_present
from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.overlaps.asked import read_asked
from rc_pipeline.overlaps.comparing import Comparison
from rc_pipeline.overlaps.findings import checks, count_table, metadata, overlap_table, touched_rows
from rc_pipeline.overlaps.texts import Content, content_of


class OverlapsError(ValueError):
    """Tables that cannot be compared."""


@dataclass(frozen=True)
class Dataset:
    """The rows of a dataset as instructions are made of them: where they lie, and which are held out."""

    name: str
    format: str
    columns: Sequence[str]
    train_splits: Sequence[str]
    holdout: Mapping[str, float]
    seed: int
    tables: Path
    passages: Path | None

    @property
    def content(self) -> Content:
        """What of a row is compared."""
        return content_of(self.format, self.columns)

    def batches(self, split: str) -> Iterator[pl.DataFrame]:
        """Yield the rows of a split, some thousand at a time."""
        return split_batches(self.tables, self.passages, split, self.content.columns, self._holdout)

    def count(self, split: str) -> int:
        """Return how many rows a split has, from the files that say so first."""
        held = split in self.holdout
        sources = [name for name in (self.train_splits if held else [split]) if self._has(name)]
        groups = pl.concat([pl.read_parquet(self._file(name), columns=["group"]) for name in sources])
        apart = self.holdout and (held or split in self.train_splits)
        return self._holdout.of(groups, split).height if apart else groups.height

    def splits(self, wanted: Sequence[str]) -> list[str]:
        """Return those of the splits that there are, and raise if there is none."""
        there = [
            split for split in wanted if self._has(split) or (split in self.holdout and self.splits(self.train_splits))
        ]
        if not there:
            raise OverlapsError(f"{self.tables}: split: {', '.join(wanted)}: no such rows; build {self.name} again")
        return there

    @property
    def _holdout(self) -> Holdout:
        return Holdout(self.holdout, self.train_splits, self.seed)

    def _has(self, split: str) -> bool:
        return split_is_present(self.tables, self.passages, split)

    def _file(self, split: str) -> Path:
        return (self.passages or self.tables) / f"{split}.parquet"


def build_overlaps(*, taught: Dataset, asked: Dataset, split: str, out: Path) -> Outcome:
    """Write what rows of a split of `asked` have in common with the training rows of `taught`, and counts of it."""
    eval_set = f"{asked.name}/{split}"
    (split,), train_splits = asked.splits([split]), taught.splits(taught.train_splits)
    comparison = Comparison(read_asked(asked.batches(split), asked.content))
    for train_split in train_splits:
        for batch in taught.batches(train_split):
            comparison.compare(batch, taught.content)
    row_ids, touched = comparison.asked.row_ids, touched_rows(comparison)
    overlaps = overlap_table(touched, row_ids, eval_set, taught.name)
    counts = count_table(overlaps, eval_set, taught.name, len(row_ids))
    write_parquet(overlaps, out / "overlaps.parquet")
    write_parquet(counts, out / "counts.parquet")
    return Outcome(
        metadata=metadata(comparison, touched, counts),
        checks=checks(
            touched,
            asked=(len(row_ids), asked.count(split)),
            taught=(comparison.rows, sum(map(taught.count, train_splits))),
        ),
        tables={"overlaps": ["overlaps.parquet"], "overlap_counts": ["counts.parquet"]},
    )
