"""TriviaQA's questions with their answers and the passages that were chosen for them."""

from __future__ import annotations

from pathlib import Path

import polars as pl


def question_rows(tables: Path, passages: Path, split: str) -> pl.DataFrame:
    """Return a split's questions that have a passage, with their aliases and accepted answers."""
    questions = pl.read_parquet(
        tables / "questions" / f"{split}.parquet", columns=["row_id", "id", "question", "answer"]
    )
    answers = _answers(pl.read_parquet(tables / "answers" / f"{split}.parquet"))
    chosen = pl.read_parquet(passages / f"{split}.parquet", columns=["row_id", "group", "passage"])
    rows = questions.join(chosen, on="row_id", maintain_order="left")
    rows = rows.join(answers, on="row_id", how="left", maintain_order="left")
    nothing = pl.lit([], dtype=pl.List(pl.String))
    return rows.with_columns(pl.col(name).fill_null(nothing) for name in ("aliases", "gold_answers"))


def dropped_questions(passages: Path, split: str) -> list[tuple[str, str]]:
    """Return (row_id, reason) of the questions of a split that no passage could be chosen for."""
    dropped = pl.read_parquet(passages / "dropped.parquet").filter(pl.col("split") == split)
    return [(row_id, reason) for row_id, reason in dropped.select("row_id", "reason").iter_rows()]


def _answers(answers: pl.DataFrame) -> pl.DataFrame:
    """Return, for each question, its aliases as written and its accepted answers."""
    return answers.group_by("row_id", maintain_order=True).agg(
        aliases=pl.col("alias").filter(~pl.col("normalised") & ~pl.col("human")).unique(maintain_order=True),
        gold_answers=pl.col("alias").filter(pl.col("normalised") | pl.col("human")).unique(maintain_order=True),
    )
