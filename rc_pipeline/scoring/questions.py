"""The verdict on every question: what was answered, what was right, what went wrong."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rc_pipeline.scoring.trivia import Match, best_match

if TYPE_CHECKING:
    import polars as pl

Row = Mapping[str, Any]
BETWEEN_GOLD_ANSWERS = " | "
LAYOUT = frozenset("\t\n\r")


def judge_choice(row: Row) -> Match:
    """Judge a multiple-choice answer by its position, or by its text where the task offers no choices."""
    if row["choices"]:
        right = row["choice"] is not None and row["choice"] == row["gold_label"]
    else:
        said = _folded(row["answer"] or "")
        right = bool(said) and said in {_folded(gold) for gold in row["gold_answers"] or []}
    return Match(exact=right, f1=float(right))


def judge_trivia(row: Row) -> Match:
    """Judge a free answer by TriviaQA's rules."""
    return best_match(row["answer"], row["gold_answers"] or [])


def judge(
    counted: pl.DataFrame, predictions: pl.DataFrame, how: Callable[[Row], Match], *, with_f1: bool
) -> pl.DataFrame:
    """Return one verdict for each counted instruction, sorted by id; one without a prediction is wrong."""
    import polars as pl

    answers = predictions.select(
        "instruction_id", pl.col("answer").cast(pl.String), pl.col("choice").cast(pl.Int64), "finished",
        pl.col("problem").cast(pl.String), predicted=pl.lit(True),
    )  # fmt: skip
    asked = counted.join(answers, on="instruction_id", how="left").sort("instruction_id")
    verdicts = [(row, how(row)) for row in asked.iter_rows(named=True)]
    return asked.select("instruction_id", "row_id", "template", "answer").with_columns(
        pl.Series("gold", [_gold(row) for row, _ in verdicts], dtype=pl.String),
        pl.Series("correct", [match.exact for _, match in verdicts], dtype=pl.Boolean),
        pl.Series("f1", [match.f1 if with_f1 else None for _, match in verdicts], dtype=pl.Float64),
        pl.Series("problem", [_problem(row) for row, _ in verdicts], dtype=pl.String),
    )


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _gold(row: Row) -> str | None:
    return BETWEEN_GOLD_ANSWERS.join(row["gold_answers"]) if row["gold_answers"] else None


def _problem(row: Row) -> str | None:
    """Return why a verdict deserves a second look; an odd answer is judged by the same rules as any other."""
    if not row["predicted"]:
        return "missing_prediction"
    if row["problem"]:
        return str(row["problem"])
    if not row["gold_answers"]:
        return "no_gold_answer"
    answer = row["answer"] or ""
    if not answer.strip():
        return "empty_answer"
    if any(unicodedata.category(character) == "Cc" and character not in LAYOUT for character in answer):
        return "control_characters"
    return "unfinished_answer" if row["finished"] is False and not row["choices"] else None
