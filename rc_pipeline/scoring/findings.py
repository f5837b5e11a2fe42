"""What scores say of themselves: figures and wrong answers for people, and the checks."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rc_pipeline.lake.frames import markdown_table, preview
from rc_pipeline.lake.outcome import JSON, Check
from rc_pipeline.scoring.errors import some

if TYPE_CHECKING:
    import polars as pl

# The checks that every score carries: name -> whether a failure keeps it from being used.
CHECKS = {"every_question_is_answered": True, "no_unknown_predictions": False, "every_question_has_gold": False}
SHOWN = 10
SLICES_SHOWN = 40
LONGEST_ANSWER_SHOWN = 80


def metadata(questions: pl.DataFrame, scores: pl.DataFrame, slices: pl.DataFrame) -> dict[str, JSON]:
    """Return each score with its interval, what went wrong how often, and the first wrong answers."""
    import polars as pl

    found: dict[str, JSON] = {str(row["metric"]): _in_words(row) for row in scores.iter_rows(named=True)}
    problems = questions["problem"].drop_nulls().value_counts(sort=False).sort("problem")
    wrong = questions.filter(~pl.col("correct")).head(SHOWN).select(
        "instruction_id", pl.col("answer").map_elements(_visible, return_dtype=pl.String), "gold", "problem"
    )  # fmt: skip
    more: dict[str, JSON] = {
        "questions": len(questions),
        "correct": int(questions["correct"].sum()),
        "without_gold": questions["gold"].null_count(),
        "problems": dict(problems.iter_rows()),
        "wrong_answers": preview(wrong, SHOWN),
    }
    if len(slices):
        rows: list[list[object]] = [
            [row["slice"], row["metric"], _in_words(row), row["n"]]
            for row in slices.head(SLICES_SHOWN).iter_rows(named=True)
        ]
        more["slices"] = {"markdown": markdown_table(["slice", "metric", "score", "questions"], rows, literal=True)}
    return found | more


def _in_words(row: Mapping[str, float | None]) -> str:
    if row["value"] is None:
        return "no gold answers"
    return f"{row['value']:.1f} [{row['low']:.1f}, {row['high']:.1f}]"


def checks(rows: pl.DataFrame, questions: pl.DataFrame, unknown: Sequence[str]) -> tuple[Check, ...]:
    """Return the verdicts on the predictions as a whole."""
    import polars as pl

    missing = rows.filter(~pl.col("predicted"))["instruction_id"].sort().to_list()
    goldless = questions.filter(pl.col("gold").is_null())["key"].to_list()
    found: dict[str, tuple[Sequence[str], str]] = {
        "every_question_is_answered": (missing, "questions have no prediction and count as wrong"),
        "no_unknown_predictions": (unknown, "predictions belong to no question of this set and are left out"),
        "every_question_has_gold": (goldless, "questions have no gold answer and count as wrong"),
    }
    return tuple(
        Check(
            name, not ids, blocking=CHECKS[name],
            description=f"{len(ids)} {text}: {some(ids)}" if ids else "", metadata={"count": len(ids)},
        )
        for name, (ids, text) in found.items()
    )  # fmt: skip


def _visible(answer: str) -> str:
    """Return an answer as one may safely look at it: cut, control characters as their code."""
    shown = "".join(
        f"\\x{ord(c):02x}" if unicodedata.category(c) == "Cc" and c != "\n" else c
        for c in answer[:LONGEST_ANSWER_SHOWN]
    )
    return shown if len(answer) <= LONGEST_ANSWER_SHOWN else f"{shown}… ({len(answer)} characters)"
