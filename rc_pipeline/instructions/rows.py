"""Rows as task templates see them: one reader a format, over the validated tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from rc_pipeline.instructions.drawing import stable_hash
from rc_pipeline.instructions.errors import InstructionsError
from rc_pipeline.instructions.evidence import read_trivia

# What the rows of each format hold for templates, and which of it is the passage.
FORMAT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "cosmos_qa": ("id", "context", "question", "answer0", "answer1", "answer2", "answer3", "label"),
    "trivia_qa": ("id", "question", "passage", "answer", "aliases"),
    "alpaca": ("instruction", "input", "output"),
}
PASSAGE_COLUMN: Mapping[str, str] = {"cosmos_qa": "context", "trivia_qa": "passage", "alpaca": "input"}
DROPPED_SCHEMA = {"row_id": pl.String, "reason": pl.String}


@dataclass(frozen=True)
class Rows:
    """The rows of a split, those left out with their reasons, and figures about them."""

    frame: pl.DataFrame
    dropped: pl.DataFrame
    figures: Mapping[str, int]


def read_rows(*, fmt: str, tables: Path, split: str, passage_words: int) -> pl.DataFrame:
    """Return the rows of a split with what a template may show, `group` and `gold_answers`."""
    return read_split(
        fmt=fmt, tables=tables, split=split, passage_words=passage_words, training=split.endswith("train")
    ).frame


def read_split(*, fmt: str, tables: Path, split: str, passage_words: int, training: bool) -> Rows:
    """Return the rows of a split; for training only those whose evidence holds the answer."""
    _format_known(fmt)
    if fmt == "trivia_qa":
        frame, dropped, figures = read_trivia(tables, split, passage_words=passage_words, training=training)
        return Rows(frame, pl.DataFrame(dropped, schema=DROPPED_SCHEMA, orient="row"), figures)
    table = pl.read_parquet(tables / f"{split}.parquet")
    frame = _PLAIN_READERS[fmt](table).select("row_id", "group", *FORMAT_COLUMNS[fmt], "gold_answers")
    return Rows(frame, pl.DataFrame(schema=DROPPED_SCHEMA), _not_shown(table))


def split_is_present(fmt: str, tables: Path, split: str) -> bool:
    """Tell whether the tables hold a split."""
    _format_known(fmt)
    folder = tables / "questions" if fmt == "trivia_qa" else tables
    return (folder / f"{split}.parquet").is_file()


def _format_known(fmt: str) -> None:
    if fmt not in FORMAT_COLUMNS:
        raise InstructionsError([f"format: {fmt!r}: unknown; choose one of {', '.join(FORMAT_COLUMNS)}"])


def _cosmos(table: pl.DataFrame) -> pl.DataFrame:
    options = pl.concat_list("answer0", "answer1", "answer2", "answer3")
    nothing = pl.lit([], dtype=pl.List(pl.String))
    gold = pl.when(pl.col("label").is_null()).then(nothing).otherwise(pl.concat_list(options.list.get(pl.col("label"))))
    return table.with_columns(_group(table["context"]), gold_answers=gold)


def _alpaca(table: pl.DataFrame) -> pl.DataFrame:
    table = table.with_columns(pl.col("input").fill_null(""))
    passage = table.select(pl.when(pl.col("input") == "").then("instruction").otherwise("input")).to_series()
    return table.with_columns(_group(passage), gold_answers=pl.concat_list("output"))


def _not_shown(table: pl.DataFrame) -> dict[str, int]:
    """Count what rows hold that no template can show yet, so that it is not left out in silence."""
    said = {"system": pl.col("system").fill_null("") != "", "history": pl.col("history").list.len().fill_null(0) > 0}
    counted = {name: table.filter(has).height for name, has in said.items() if name in table.columns}
    return {f"{name}_not_shown": rows for name, rows in counted.items() if rows}


_PLAIN_READERS: Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]] = {"cosmos_qa": _cosmos, "alpaca": _alpaca}


def _group(passages: pl.Series) -> pl.Series:
    groups = {passage: f"{stable_hash(0, passage):016x}" for passage in passages.unique().to_list()}
    return pl.Series("group", [groups[passage] for passage in passages.to_list()], dtype=pl.String)
