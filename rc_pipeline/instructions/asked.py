"""The rows that a model is asked: what their templates show, and what their scores are told apart by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from rc_pipeline.instructions.evidence import question_batches, unread_questions
from rc_pipeline.instructions.rows import BATCH_ROWS, Holdout, left_out, split_batches

# What the files of evaluation sets have beside the columns of all instructions.
ASKED_SCHEMA: dict[str, Any] = {
    "question": pl.String, "passage_words": pl.Int32, "document": pl.String, "answer_keys": pl.List(pl.String)
}  # fmt: skip
# Chinese and Japanese are written without spaces: every character counts as a word.
_WORD = r"[\p{Han}\p{Hiragana}\p{Katakana}]|[\w--[\p{Han}\p{Hiragana}\p{Katakana}]]+"


def asked_batches(  # noqa: PLR0913 - by name, most of them
    tables: Path, passages: Path | None, split: str, *, columns: Sequence[str], passage_column: str, holdout: Holdout
) -> Iterator[pl.DataFrame]:
    """Yield the rows of a split as they are asked, those of TriviaQA with the official keys that they answer for."""
    if passages is None or split in holdout.shares:
        batches = split_batches(tables, passages, split, columns, holdout)
    else:
        batches = _keyed(tables, passages, split)
    wanted = ["row_id", "group", *columns, "gold_answers"]
    for batch in batches:
        facts = pl.DataFrame({"passage": _text(batch, passage_column), "question": _text(batch, "question")})
        told = {name: batch.get_column(name, default=None) for name in ("document", "answer_keys")}
        yield batch.select(wanted).with_columns(
            facts["question"],
            facts["passage"].str.count_matches(_WORD).cast(pl.Int32).alias("passage_words"),
            *(pl.lit(None, ASKED_SCHEMA[name]).alias(name) if said is None else said for name, said in told.items()),
        )


def never_asked(tables: Path, passages: Path | None, split: str) -> list[tuple[str, str]]:
    """Return (row_id, reason) of the rows of a split without a passage for which no official key asks."""
    if passages is None:
        return []
    asked = set(answer_keys(tables, split)["row_id"])
    return [(row_id, reason) for row_id, reason in left_out(passages, split) if row_id not in asked]


def _text(batch: pl.DataFrame, column: str) -> pl.Series:
    found = batch.get_column(column, default=None) if column else None
    return pl.repeat(None, batch.height, dtype=pl.String, eager=True) if found is None else found.cast(pl.String)


def _keyed(tables: Path, passages: Path, split: str) -> Iterator[pl.DataFrame]:
    """Yield a split's passages with their keys, and last the questions for whose keys no passage stands.

    The official scorer counts every key, so those questions are asked too: without a passage.
    """
    keys = answer_keys(tables, split)
    lying = pl.read_parquet_schema(passages / f"{split}.parquet")
    read = pl.read_parquet(passages / f"{split}.parquet", columns=["row_id", *({"document"} & lying.keys())])
    by = read.columns if "document" in read.columns and keys["document"].count() else ["row_id"]
    grouped = keys.group_by(by, maintain_order=True).agg(_distinct_keys())
    for batch in question_batches(tables, passages, split, BATCH_ROWS):
        yield batch.join(grouped, on=by, how="left", maintain_order="left")
    left = keys.join(read, on=by, how="anti").group_by("row_id", maintain_order=True).agg(_distinct_keys())
    if left.height:
        yield unread_questions(tables, split, left["row_id"]).join(left, on="row_id", maintain_order="left")


def _distinct_keys() -> pl.Expr:
    return pl.col("key").unique(maintain_order=True).alias("answer_keys")


def answer_keys(tables: Path, split: str) -> pl.DataFrame:
    """Return (row_id, document, key) of each official key: a question of Wikipedia, a question's page of the web.

    Pages are named as the question file names them, whether the archive has their document or not.
    """
    verified = split.startswith("verified-")
    questions = pl.scan_parquet(tables / "questions" / f"{split}.parquet")
    asked = questions.filter(pl.col("verified").fill_null(value=False)) if verified else questions
    if "web-" not in split:
        return asked.select("row_id", document=pl.lit(None, pl.String), key="id").collect()
    pages = pl.scan_parquet(tables / "pages" / f"{split}.parquet")
    shown = pages.filter(pl.col("verified").fill_null(value=False)) if verified else pages
    return (
        shown.join(asked.select("row_id", "id"), on="row_id")
        .sort("row_id", "position")
        .select("row_id", document="evidence_id", key=pl.concat_str("id", "filename", separator="--"))
        .collect()
    )
