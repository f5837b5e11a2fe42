"""Rows as task templates see them, whatever the format: the tables say what each row holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from rc_pipeline.instructions.evidence import read_trivia

DROPPED_SCHEMA = {"row_id": pl.String, "reason": pl.String}


@dataclass(frozen=True)
class Rows:
    """The rows of a split, those left out with their reasons, and figures about them."""

    frame: pl.DataFrame
    dropped: pl.DataFrame
    figures: Mapping[str, int]


def read_split(*, tables: Path, passages: Path | None, split: str, columns: Sequence[str]) -> Rows:
    """Return the rows of a split with what a template may show, `group` and `gold_answers`."""
    if passages is not None:
        frame, dropped, figures = read_trivia(tables, passages, split)
        return Rows(frame, pl.DataFrame(dropped, schema=DROPPED_SCHEMA, orient="row"), figures)
    table = pl.read_parquet(tables / f"{split}.parquet")
    frame = table.select("row_id", "group", *columns, "gold_answers")
    return Rows(frame, pl.DataFrame(schema=DROPPED_SCHEMA), {})


def split_is_present(tables: Path, passages: Path | None, split: str) -> bool:
    """Tell whether the tables hold a split."""
    return ((tables if passages is None else passages) / f"{split}.parquet").is_file()
