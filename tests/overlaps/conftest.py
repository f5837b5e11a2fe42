from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.lake.canonical import stable_hash
from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.overlaps.build import Dataset, build_overlaps

Rows = Sequence[dict[str, Any]]


class Bench:
    """Two datasets of a user's own records, and what the one has in common with the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def tables(self, name: str, splits: dict[str, Rows]) -> Path:
        """Write the rows of each split with ids, groups and no answers."""
        for split, rows in splits.items():
            made = [
                {
                    "row_id": f"{name}/{split}/{place}",
                    "group": f"{stable_hash(0, str(row)):016x}",
                    "gold_answers": [],
                    **row,
                }
                for place, row in enumerate(rows)
            ]
            write_parquet(
                pl.DataFrame(made, schema_overrides={"gold_answers": pl.List(pl.String)}),
                self.folder / name / f"{split}.parquet",
            )
        return self.folder / name

    def dataset(self, name: str, fmt: str, columns: Sequence[str], **changed: Any) -> Dataset:
        given: dict[str, Any] = {"train_splits": ["train"], "holdout": {}, "seed": 0, "passages": None}
        return Dataset(name=name, format=fmt, columns=columns, tables=self.folder / name, **given | changed)

    def compare(self, train: Rows, valid: Rows, fmt: str = "records") -> tuple[Outcome, pl.DataFrame]:
        """Return what rows of `valid` have in common with those of `train`."""
        self.tables("taught", {"train": train})
        self.tables("asked", {"valid": valid})
        sides = [self.dataset(name, fmt, list(rows[0])) for name, rows in (("taught", train), ("asked", valid))]
        outcome = build_overlaps(taught=sides[0], asked=sides[1], split="valid", out=self.folder / "out")
        return outcome, pl.read_parquet(self.folder / "out" / "overlaps.parquet")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def kinds(bench: Bench) -> Callable[..., set[tuple[str, str]]]:
    """Return (kind, training row) of what a single evaluation row has in common with training rows."""

    def compared(train: Rows, asked: dict[str, Any], fmt: str = "records") -> set[tuple[str, str]]:
        _, found = bench.compare(train, [asked], fmt)
        return {
            (kind, row.removeprefix("taught/train/")) for kind, row in found.select("kind", "train_row_id").iter_rows()
        }

    return compared
