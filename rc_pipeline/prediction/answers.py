"""Predictions as a table: one row a question, whatever was asked of it and however often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rc_pipeline.prediction.voting import vote

if TYPE_CHECKING:
    import polars as pl

    from rc_pipeline.prediction.questions import Question
    from rc_pipeline.prediction.row_cache import Result


def predictions(
    about: Mapping[str, str], questions: Sequence[Question], results: Mapping[str, Sequence[Result]]
) -> pl.DataFrame:
    """Return one row a question; `results` has the samples of those that could be asked."""
    import polars as pl

    schema: dict[str, Any] = {
        "run": pl.String,
        "eval_set": pl.String,
        "instruction_id": pl.String,
        "row_id": pl.String,
        "template": pl.String,
        "prompt_tokens": pl.Int32,
        "passage_tokens_cut": pl.Int32,
        "shots_dropped": pl.Int32,
        "turns_dropped": pl.Int32,
        "answer": pl.String,
        "written": pl.String,
        "samples": pl.Int32,
        "agreement": pl.Float32,
        "choice": pl.Int8,
        "choice_scores": pl.List(pl.Float32),
        "answer_tokens": pl.Int32,
        "finished": pl.Boolean,
        "problem": pl.String,
    }
    rows = [{**about, **_row(question, results.get(question.instruction_id, []))} for question in questions]
    return pl.DataFrame(rows, schema=schema).sort("instruction_id")


def _row(question: Question, results: Sequence[Result]) -> dict[str, Any]:
    about: dict[str, Any] = {
        "instruction_id": question.instruction_id,
        "row_id": question.row_id,
        "template": question.template,
    }
    if not results:
        return about | {"answer_tokens": 0, "finished": False, "problem": question.problem}
    about |= {
        "prompt_tokens": len(question.prompt_ids),
        "passage_tokens_cut": question.passage_tokens_cut,
        "shots_dropped": question.shots_dropped,
        "turns_dropped": question.turns_dropped,
        "samples": len(results),
        "answer_tokens": sum(result.tokens for result in results),
    }
    scores = results[0].scores
    if scores is not None:
        choice = scores.index(max(scores))
        return about | {"answer": results[0].answer, "choice": choice, "choice_scores": scores, "finished": True}
    verdict = vote([result.answer for result in results], question.answer_after)
    chosen = next(result for result in results if result.answer == verdict.written)
    return about | {
        "answer": verdict.answer,
        "written": verdict.written,
        "agreement": verdict.agreement if len(results) > 1 else None,
        "finished": chosen.finished,
        "problem": verdict.problem,
    }
