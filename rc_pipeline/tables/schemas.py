"""What a row must be to enter a table; the name of a broken rule is the reason in the quarantine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

# Tab, line feed, vertical tab, form feed and carriage return are white space that real texts hold.
CONTROL_CHARACTERS = r"[\x00-\x08\x0e-\x1f\x7f]"


def _without_control_characters(data: PolarsData) -> pl.LazyFrame:
    return data.lazyframe.select(~pl.col(str(data.key)).str.contains(CONTROL_CHARACTERS))


def _not_blank(data: PolarsData) -> pl.LazyFrame:
    return data.lazyframe.select(pl.col(str(data.key)).str.strip_chars() != "")


def text(name: str, *, blank: bool = False, nullable: bool = False) -> pa.Column:
    """Return a column of text that is not blank, unless it may be, and holds no control character."""
    checks = [pa.Check(_without_control_characters, error="control_character")]
    if not blank:
        checks.insert(0, pa.Check(_not_blank, error=f"empty_{name}"))
    return pa.Column(pl.String, checks=checks, nullable=nullable)


def _schema(columns: dict[str, pa.Column], unique: Sequence[str] = ()) -> pa.DataFrameSchema:
    return pa.DataFrameSchema(columns, strict=True, ordered=True, unique=list(unique) or None)


_FROM = {"source_file": pa.Column(pl.String), "source_line": pa.Column(pl.Int64)}
_KEY = {"row_id": pa.Column(pl.String), "split": pa.Column(pl.String)}


def row_schema(columns: dict[str, pa.Column]) -> pa.DataFrameSchema:
    """Return the schema of rows that carry their id, their split and the place they come from."""
    return _schema({**_KEY, **columns, **_FROM})


TRIVIA_QUESTIONS = _schema(
    {
        **_KEY,
        "id": text("id"),
        "question": text("question"),
        "answer": text("answer", nullable=True),
        "answer_type": pa.Column(pl.String, nullable=True),
        "question_source": pa.Column(pl.String, nullable=True),
        "verified": pa.Column(pl.Boolean, nullable=True),
        **_FROM,
    }
)
TRIVIA_ANSWERS = _schema(
    {
        "row_id": pa.Column(pl.String),
        "alias": pa.Column(pl.String),
        "normalised": pa.Column(pl.Boolean),
        "human": pa.Column(pl.Boolean),
    }
)
TRIVIA_PAGES = _schema(
    {
        "row_id": pa.Column(pl.String),
        "position": pa.Column(pl.Int32),
        "kind": pa.Column(pl.String, pa.Check.isin(["entity", "search"])),
        "filename": pa.Column(pl.String),
        "title": pa.Column(pl.String),
        "rank": pa.Column(pl.Int32, nullable=True),
        "link_probability": pa.Column(pl.Float64, nullable=True),
        "verified": pa.Column(pl.Boolean, nullable=True),
        "evidence_id": pa.Column(pl.String, nullable=True),
    }
)
TRIVIA_EVIDENCE = _schema(
    {
        "evidence_id": pa.Column(pl.String),
        "domain": pa.Column(pl.String, pa.Check.isin(["wikipedia", "web"])),
        "filename": pa.Column(pl.String),
        # Control characters are looked for and replaced where documents are read: once is enough for gigabytes.
        "text": pa.Column(pl.String, pa.Check(_not_blank, error="empty_text")),
        "words": pa.Column(pl.Int64),
    }
)


def polars_schema(schema: pa.DataFrameSchema) -> dict[str, Any]:
    """Return the column types of a schema, to build frames with."""
    return {name: column.dtype.type for name, column in schema.columns.items()}
