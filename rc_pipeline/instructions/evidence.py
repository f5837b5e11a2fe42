"""TriviaQA's questions with their answers and the passages that were chosen for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import polars as pl

# What is read of passages; those that are chosen document by document name it.
CHOSEN = ("row_id", "document", "group", "passage")


def question_batches(tables: Path, passages: Path, split: str, rows: int) -> Iterator[pl.DataFrame]:
    """Yield a split's questions that have a passage, with their aliases and accepted answers, some at a time."""
    import pyarrow.parquet as pq

    asked = _questions(tables, split)
    # Passages lie in the order of their questions, and are most of what there is to hold.
    with pq.ParquetFile(passages / f"{split}.parquet", pre_buffer=False) as file:
        for batch in file.iter_batches(rows, columns=[name for name in CHOSEN if name in file.schema_arrow.names]):
            yield cast("pl.DataFrame", pl.from_arrow(batch)).join(asked, on="row_id", maintain_order="left")


def unread_questions(tables: Path, split: str, row_ids: pl.Series) -> pl.DataFrame:
    """Return questions that have no passage as they are asked all the same: each is alone in its group."""
    found = _questions(tables, split).filter(pl.col("row_id").is_in(row_ids.implode()))
    return found.with_columns(group="row_id", passage=pl.lit(""))


def dropped_questions(passages: Path, split: str) -> list[tuple[str, str]]:
    """Return (row_id, reason) of the questions of a split that no passage could be chosen for."""
    dropped = pl.read_parquet(passages / "dropped.parquet").filter(pl.col("split") == split)
    return [(row_id, reason) for row_id, reason in dropped.select("row_id", "reason").iter_rows()]


def _questions(tables: Path, split: str) -> pl.DataFrame:
    columns = ["row_id", "id", "question", "answer"]
    questions = pl.read_parquet(tables / "questions" / f"{split}.parquet", columns=columns)
    answers = _answers(pl.read_parquet(tables / "answers" / f"{split}.parquet"))
    nothing = pl.lit([], dtype=pl.List(pl.String))
    return questions.join(answers, on="row_id", how="left", maintain_order="left").with_columns(
        pl.col(name).fill_null(nothing) for name in ("aliases", "gold_answers")
    )


def _answers(answers: pl.DataFrame) -> pl.DataFrame:
    """Return, for each question, its aliases as written and its accepted answers."""
    return answers.group_by("row_id", maintain_order=True).agg(
        aliases=pl.col("alias").filter(~pl.col("normalised") & ~pl.col("human")).unique(maintain_order=True),
        gold_answers=pl.col("alias").filter(pl.col("normalised") | pl.col("human")).unique(maintain_order=True),
    )
