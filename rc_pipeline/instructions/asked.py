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
    "question": pl.String,
    "passage_words": pl.Int32,
    "document": pl.String,
    "answer_keys": pl.List(pl.String),
}
# On the way there the names begin so, which those of a dataset's own columns cannot.
OWN = "_"
_VERIFIED, _OF_THE_WEB = "verified-", "web-"
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
    for batch in batches:
        facts = {"question": _text(batch, "question"), "passage_words": words_in(_text(batch, passage_column))}
        wanted = batch.select("row_id", "group", *columns, "gold_answers", pl.col(f"^{OWN}.*$"))
        yield wanted.with_columns(said.alias(OWN + name) for name, said in facts.items())


def words_in(texts: pl.Series) -> pl.Series:
    """Return how many words each text has."""
    return texts.str.count_matches(_WORD).cast(pl.Int32)


def never_asked(tables: Path, passages: Path | None, split: str) -> list[tuple[str, str]]:
    """Return (row_id, reason) of the rows of a split without a passage for which no official key asks."""
    if passages is None:
        return []
    asked = set(answer_keys(tables, split)["row_id"])
    return [(row_id, reason) for row_id, reason in left_out(passages, split) if row_id not in asked]


def _text(batch: pl.DataFrame, column: str) -> pl.Series:
    if column in batch.columns and batch.schema[column] == pl.String:
        return batch[column]
    return pl.repeat(None, batch.height, dtype=pl.String, eager=True)


def _keyed(tables: Path, passages: Path, split: str) -> Iterator[pl.DataFrame]:
    """Yield a split's passages with their keys, and last the questions for whose keys no passage stands.

    The official scorer counts every key, so those questions are asked too: without a passage.
    """
    keys = answer_keys(tables, split)
    told = pl.scan_parquet(passages / f"{split}.parquet").select(pl.col("^(row_id|document)$")).collect()
    # Where a key is a question, each document's row answers for it; where it is a page, the row of that page.
    by = [name for name in told.columns if name == "row_id" or keys[name].count()]
    grouped = keys.group_by(by, maintain_order=True).agg(_distinct_keys())
    for batch in question_batches(tables, passages, split, BATCH_ROWS):
        with_keys = batch.join(grouped, on=by, how="left", maintain_order="left")
        yield with_keys.rename({"document": f"{OWN}document"}, strict=False)
    unread = keys.join(told, on=by, how="anti").group_by("row_id", maintain_order=True).agg(_distinct_keys())
    if unread.height:
        yield unread_questions(tables, split, unread["row_id"]).join(unread, on="row_id", maintain_order="left")


def _distinct_keys() -> pl.Expr:
    return pl.col("key").unique(maintain_order=True).alias(f"{OWN}answer_keys")


def answer_keys(tables: Path, split: str) -> pl.DataFrame:
    """Return (row_id, document, key) of each official key: a question of Wikipedia, or a question's page of the web.

    Pages are named as the question file names them, whether the archive has their document or not.
    """
    verified = split.startswith(_VERIFIED)
    questions = pl.scan_parquet(tables / "questions" / f"{split}.parquet")
    asked = questions.filter(pl.col("verified").fill_null(value=False)) if verified else questions
    if not split.removeprefix(_VERIFIED).startswith(_OF_THE_WEB):
        return asked.select("row_id", document=pl.lit(None, pl.String), key="id").collect()
    pages = pl.scan_parquet(tables / "pages" / f"{split}.parquet")
    shown = pages.filter(pl.col("verified").fill_null(value=False)) if verified else pages
    return (
        shown.join(asked.select("row_id", "id"), on="row_id")
        .sort("row_id", "position")
        .select("row_id", document="evidence_id", key=pl.concat_str("id", "filename", separator="--"))
        .collect()
    )
