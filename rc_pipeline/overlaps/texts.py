"""What of a row counts when rows are compared: its own columns, never the words of a template."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from rc_pipeline.overlaps.words import BETWEEN

_BETWEEN = f" {BETWEEN} "
PASSAGE, QUESTION = "passage", "question"
ANSWER = "answer"
# Of a user's own columns, those that say nothing of what a row asks.
_NOT_ASKED = frozenset({"id", "label", "passage", ANSWER})


@dataclass(frozen=True)
class Content:
    """The columns of a format that are compared: the passage, and each text that asks for something.

    A question that stands beside a passage may fit many ("What happened next?"), so it counts together
    with its options or its answer. The definition of a task is shared by all of its rows, like a
    template, and is left out.
    """

    passage: str
    asked: tuple[tuple[str, ...], ...]

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        return [*filter(None, [self.passage]), *(name for names in self.asked for name in names)]

    def texts(self, rows: pl.DataFrame) -> Iterator[tuple[str, pl.Series]]:
        """Yield the texts of rows, part by part."""
        if self.passage:
            yield PASSAGE, _joined(rows, [self.passage])
        for names in self.asked:
            yield QUESTION, _joined(rows, names)

    def said(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return a text column for each part of what rows teach: what they ask, what they show, what they answer."""
        texts = [text.alias(f"{part} {number}") for number, (part, text) in enumerate(self.texts(rows))]
        return pl.DataFrame([*texts, _joined(rows, ["gold_answers"]).alias(ANSWER)])


_OPTIONS = tuple(f"answer{number}" for number in range(4))
_TALK = Content("", (("history", "instruction", "input"),))
_CONTENT = {
    "cosmos_qa": Content("context", (("question", *_OPTIONS),)),
    "trivia_qa": Content("passage", (("question",),)),
    "squad": Content("context", (("question", ANSWER),)),
    "alpaca": _TALK,
    "sharegpt": _TALK,
    "openai": _TALK,
    "parallel": Content("", (("source",), ("target",))),
    "identity": Content("", (("question",),)),
    "super_ni": Content("", (("input",),)),
    "mmlu": Content("", (("question", *_OPTIONS),)),
    "bigbench": Content("", (("input", "options"),)),
}


def content_of(fmt: str, columns: Sequence[str]) -> Content:
    """Return what counts of a format's rows; a format without columns of its own holds those that a user named."""
    if fmt in _CONTENT:
        return _CONTENT[fmt]
    asked = tuple(name for name in columns if name not in _NOT_ASKED)
    if PASSAGE in columns:
        return Content(PASSAGE, ((*asked, *(name for name in columns if name == ANSWER)),))
    return Content("", (asked,))


def _joined(rows: pl.DataFrame, names: Sequence[str]) -> pl.Series:
    texts = [_flat(pl.col(name), rows.schema[name]).replace("", None) for name in names]
    joined = pl.concat_str(texts or [pl.lit("")], separator=_BETWEEN, ignore_nulls=True)
    return rows.select(joined.alias("text"))["text"]


def _flat(column: pl.Expr, kind: Any) -> pl.Expr:
    if not isinstance(kind, pl.List):
        return column.cast(pl.String)
    inner = kind.inner
    texts = column.list.eval(pl.element().list.join(_BETWEEN)) if isinstance(inner, pl.List) else column
    return texts.list.join(_BETWEEN)
