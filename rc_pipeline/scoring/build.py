"""Score one run on one evaluation set: `score(...)` writes scores.parquet and questions.parquet."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rc_pipeline.lake.frames import preview, write_parquet
from rc_pipeline.lake.outcome import JSON, Check, Outcome
from rc_pipeline.scoring.intervals import bootstrap
from rc_pipeline.scoring.questions import Row, judge, judge_choice, judge_trivia
from rc_pipeline.scoring.trivia import Match

if TYPE_CHECKING:
    import polars as pl

# The checks that every score carries: name -> whether a failure keeps it from being used.
CHECKS = {"every_question_is_answered": True, "no_unknown_predictions": False, "every_question_has_gold": False}
PREDICTED = ("run", "eval_set", "instruction_id", "answer", "choice", "finished", "problem")
INSTRUCTED = ("instruction_id", "row_id", "template", "choices", "gold_label", "gold_answers", "order")
SHOWN = 10
LONGEST_ANSWER_SHOWN = 80


class ScoringError(ValueError):
    """Predictions or instructions that cannot be scored as they are."""


@dataclass(frozen=True)
class Rules:
    """How a dataset format is scored: the judge, and each metric with the column of questions it averages."""

    judge: Callable[[Row], Match]
    metrics: dict[str, str]


RULES = {
    "cosmos_qa": Rules(judge_choice, {"accuracy": "correct"}),
    "trivia_qa": Rules(judge_trivia, {"exact_match": "correct", "f1": "f1"}),
}


def score(  # noqa: PLR0913 - by name, all of them
    *, run: str, eval_set: str, fmt: str, predictions: Path, instructions: Path, limit: int | None, seed: int, out: Path
) -> Outcome:
    """Score a run's predictions over all the questions it was asked; values and bounds are in percent.

    A question without a prediction is wrong and counts. Where no question at all has a gold answer,
    as in a test split, the values are null: a 0 would be a claim about the model.
    """
    if fmt not in RULES:
        raise ScoringError(
            f"{eval_set}: format {fmt!r} has no scoring rules; evaluate on a dataset of format {' or '.join(RULES)}"
        )
    rules = RULES[fmt]
    asked = _read(instructions, INSTRUCTED, "instructions")
    counted = _counted(asked, limit, instructions)
    predicted = _read(predictions, PREDICTED, "predictions")
    _require_predictions_of(run, eval_set, predicted, predictions)
    questions = _named(judge(counted, predicted, rules.judge, with_f1="f1" in rules.metrics), run, eval_set)
    with_gold = questions["gold"].count()
    scores = _scores(questions, rules.metrics, seed, any_gold=with_gold > 0)
    write_parquet(scores, out / "scores.parquet")
    write_parquet(questions, out / "questions.parquet")
    unknown = predicted.join(asked, on="instruction_id", how="anti")["instruction_id"].sort().to_list()
    return Outcome(
        metadata=_metadata(questions, scores),
        checks=_checks(questions, unknown),
        tables={"scores": ["scores.parquet"], "scored_questions": ["questions.parquet"]},
    )


def _read(path: Path, needed: tuple[str, ...], what: str) -> pl.DataFrame:
    import polars as pl

    try:
        frame = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ScoringError(f"{path.name}: {what} cannot be read as Parquet ({error}); build them again") from error
    missing = [column for column in needed if column not in frame.columns]
    if missing:
        raise ScoringError(
            f"{path.name}: {what} lack the columns {', '.join(missing)} (there are: {', '.join(frame.columns)}); "
            "build them again with this version"
        )
    repeated = frame.filter(pl.col("instruction_id").is_duplicated())["instruction_id"].unique().sort().to_list()
    if repeated:
        raise ScoringError(
            f"{path.name}: {len(repeated)} instruction_id occur more than once ({_some(repeated)}); "
            "each question counts once, so build them again"
        )
    return frame


def _counted(asked: pl.DataFrame, limit: int | None, path: Path) -> pl.DataFrame:
    if limit is not None and limit < 1:
        raise ScoringError(f"limit: {limit} questions cannot be scored; name a number of at least 1, or all")
    if asked.is_empty():
        raise ScoringError(f"{path.name}: no instruction to score; an evaluation set needs at least one question")
    ordered = asked.sort("order", "instruction_id")
    return ordered if limit is None else ordered.head(limit)


def _require_predictions_of(run: str, eval_set: str, predicted: pl.DataFrame, path: Path) -> None:
    others = predicted.select("run", "eval_set").unique().sort("run", "eval_set").rows()
    others = [pair for pair in others if pair != (run, eval_set)]
    if others:
        listed = ", ".join(f"{name} on {on}" for name, on in others)
        raise ScoringError(
            f"{path.name}: holds predictions of {listed}, and not only of {run} on {eval_set}; "
            "score each run with its own predictions"
        )


def _named(questions: pl.DataFrame, run: str, eval_set: str) -> pl.DataFrame:
    import polars as pl

    return questions.select(pl.lit(run).alias("run"), pl.lit(eval_set).alias("eval_set"), pl.all())


def _scores(questions: pl.DataFrame, metrics: dict[str, str], seed: int, *, any_gold: bool) -> pl.DataFrame:
    import polars as pl

    run, eval_set = questions.row(0)[:2]
    rows: list[tuple[str, str, str, float | None, float | None, float | None, int]] = []
    for metric, column in metrics.items():
        if not any_gold:
            rows.append((run, eval_set, metric, None, None, None, len(questions)))
            continue
        found = bootstrap(questions[column].cast(pl.Float64).to_list(), seed=seed)
        rows.append((run, eval_set, metric, *(100 * x for x in (found.value, found.low, found.high)), found.n))
    schema = {"run": pl.String, "eval_set": pl.String, "metric": pl.String, "value": pl.Float64, "low": pl.Float64,
              "high": pl.Float64, "n": pl.Int64}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _metadata(questions: pl.DataFrame, scores: pl.DataFrame) -> dict[str, JSON]:
    import polars as pl

    found: dict[str, JSON] = {}
    for metric, value, low, high in scores.select("metric", "value", "low", "high").iter_rows():
        found[metric] = "no gold answers" if value is None else f"{value:.1f} [{low:.1f}, {high:.1f}]"
    problems = questions["problem"].drop_nulls().value_counts(sort=False).sort("problem")
    wrong = questions.filter(~pl.col("correct")).select(
        "instruction_id", pl.col("answer").map_elements(_visible, return_dtype=pl.String), "gold", "problem"
    )
    return {
        **found,
        "questions": len(questions),
        "correct": int(questions["correct"].sum()),
        "without_gold": questions["gold"].null_count(),
        "problems": dict(problems.iter_rows()),
        "wrong_answers": preview(wrong, SHOWN),
    }


def _checks(questions: pl.DataFrame, unknown: list[str]) -> tuple[Check, ...]:
    import polars as pl

    missing = questions.filter(pl.col("problem") == "missing_prediction")["instruction_id"].to_list()
    goldless = questions.filter(pl.col("gold").is_null())["instruction_id"].to_list()
    found = {
        "every_question_is_answered": (missing, "questions have no prediction and count as wrong"),
        "no_unknown_predictions": (unknown, "predictions belong to no question of this set and are left out"),
        "every_question_has_gold": (goldless, "questions have no gold answer and count as wrong"),
    }
    return tuple(
        Check(
            name, not ids, blocking=CHECKS[name],
            description=f"{len(ids)} {text}: {_some(ids)}" if ids else "", metadata={"count": len(ids)},
        )
        for name, (ids, text) in found.items()
    )  # fmt: skip


def _some(ids: list[str], most: int = 3) -> str:
    return ", ".join(ids[:most]) + (", …" if len(ids) > most else "")


def _visible(answer: str) -> str:
    """Return an answer as one may safely look at it: cut, control characters as their code."""
    shown = "".join(
        f"\\x{ord(c):02x}" if unicodedata.category(c) == "Cc" and c != "\n" else c
        for c in answer[:LONGEST_ANSWER_SHOWN]
    )
    return shown if len(answer) <= LONGEST_ANSWER_SHOWN else f"{shown}… ({len(answer)} characters)"
