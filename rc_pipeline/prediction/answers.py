"""Predictions as a table: one row a question, whatever was asked of it and however often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from rc_pipeline.prediction.asks import GOLD, WRITTEN
from rc_pipeline.prediction.letters import choice_in
from rc_pipeline.prediction.voting import answer_in, vote

if TYPE_CHECKING:
    import polars as pl

    from rc_pipeline.prediction.questions import Question
    from rc_pipeline.prediction.row_cache import Result

DIGITS = 5
NO_LABELS = "no_labels"
Told = Mapping[str, Sequence["Result"]]


def predictions(
    about: Mapping[str, str], questions: Sequence[Question], told: Mapping[str, Told], choose_by: Sequence[str]
) -> pl.DataFrame:
    """Return one row a question; `told` has for each that could be asked what it was told, by way."""
    import polars as pl

    schema: dict[str, Any] = {
        "run": pl.String,
        "eval_set": pl.String,
        "instruction_id": pl.String,
        "row_id": pl.String,
        "template": pl.String,
        "prompt_tokens": pl.Int32,
        "passage_tokens_cut": pl.Int32,
        "passage_characters_kept": pl.Int32,
        "shots_dropped": pl.Int32,
        "turns_dropped": pl.Int32,
        "answer": pl.String,
        "written": pl.String,
        "samples": pl.Int32,
        "agreement": pl.Float32,
        "choice": pl.Int8,
        "choice_scores": pl.List(pl.Float32),
        "choice_likelihood": pl.Int8,
        "choice_letter": pl.Int8,
        "choice_written": pl.Int8,
        "likelihood_scores": pl.List(pl.Float32),
        "letter_scores": pl.List(pl.Float32),
        "answer_tokens": pl.Int32,
        "answer_logprob": pl.Float32,
        "gold_logprob": pl.Float32,
        "gold_tokens": pl.Int32,
        "finished": pl.Boolean,
        "problem": pl.String,
    }
    rows = [{**about, **_row(question, told.get(question.instruction_id, {}), choose_by)} for question in questions]
    return pl.DataFrame(rows, schema=schema).sort("instruction_id")


def latency(about: Mapping[str, str], told: Mapping[str, Told]) -> pl.DataFrame:
    """Return how long each question took: its share of the batches that it was asked in."""
    import polars as pl

    rows = [
        {**about, "instruction_id": name, "seconds": sum(result.seconds for result in chain(*ways.values()))}
        for name, ways in sorted(told.items())
    ]
    schema = {"run": pl.String, "eval_set": pl.String, "instruction_id": pl.String, "seconds": pl.Float64}
    return pl.DataFrame(rows, schema=schema)


def _row(question: Question, told: Told, choose_by: Sequence[str]) -> dict[str, Any]:
    about: dict[str, Any] = {
        "instruction_id": question.instruction_id,
        "row_id": question.row_id,
        "template": question.template,
    }
    if question.problem:
        return about | {"answer_tokens": 0, "finished": False, "problem": question.problem}
    about |= {
        "prompt_tokens": len(question.prompt_ids),
        "passage_tokens_cut": question.passage_tokens_cut,
        "passage_characters_kept": question.passage_characters_kept,
        "shots_dropped": question.shots_dropped,
        "turns_dropped": question.turns_dropped,
        **_gold(question, told.get(GOLD, ())),
    }
    if not question.options:
        return about | _free(question, told[WRITTEN])
    return about | _chosen(question, told, choose_by)


def _gold(question: Question, results: Sequence[Result]) -> dict[str, Any]:
    if not results:
        return {}
    return {"gold_logprob": results[0].log_probabilities[0], "gold_tokens": len(question.gold)}


def _free(question: Question, results: Sequence[Result]) -> dict[str, Any]:
    verdict = vote([result.answer for result in results], question.answer_after)
    chosen = next(result for result in results if result.answer == verdict.written)
    return {
        "answer": verdict.answer,
        "written": verdict.written,
        "samples": len(results),
        "agreement": verdict.agreement if len(results) > 1 else None,
        "answer_tokens": sum(result.tokens for result in results),
        "answer_logprob": chosen.log_probabilities[0],
        "finished": chosen.finished,
        "problem": verdict.problem,
    }


def _chosen(question: Question, told: Told, choose_by: Sequence[str]) -> dict[str, Any]:
    """Return what every way has chosen; the first one counts, whether or not it could choose."""
    ways = {way: _by_scores(question, way, told.get(way, ())) for way in choose_by if way != WRITTEN}
    if WRITTEN in choose_by:
        ways[WRITTEN] = _in_writing(question, told[WRITTEN])
    found: dict[str, Any] = {f"choice_{way}": choice["choice"] for way, choice in ways.items()}
    found |= {f"{way}_scores": choice["choice_scores"] for way, choice in ways.items() if way != WRITTEN}
    if WRITTEN in ways:
        found["written"] = ways[WRITTEN]["written"]
    return found | ways[choose_by[0]]


def _by_scores(question: Question, way: str, results: Sequence[Result]) -> dict[str, Any]:
    if not results:
        return {"choice": None, "choice_scores": None, "answer_tokens": 0, "finished": False, "problem": NO_LABELS}
    texts = question.options if way == "likelihood" else question.labels
    scores = [round(log / len(text), DIGITS) for log, text in zip(results[0].log_probabilities, texts, strict=True)]
    choice = scores.index(max(scores))
    return {
        "answer": question.choices[choice],
        "samples": 1,
        "choice": choice,
        "choice_scores": scores,
        "answer_tokens": len(question.options[choice]),
        "finished": True,
    }


def _in_writing(question: Question, results: Sequence[Result]) -> dict[str, Any]:
    """Return the option that most samples name; of equals, the first named."""
    read = [choice_in(answer_in(result.answer, question.answer_after) or "", question.choices) for result in results]
    votes = Counter(choice for choice, _ in read if choice is not None)
    choice = max(votes, key=lambda each: votes[each]) if votes else None
    at = next(i for i, (named, _) in enumerate(read) if named == choice)
    return {
        "answer": results[at].answer if choice is None else question.choices[choice],
        "written": results[at].answer,
        "samples": len(results),
        "agreement": votes[choice] / len(results) if choice is not None and len(results) > 1 else None,
        "choice": choice,
        "choice_scores": None,
        "answer_tokens": sum(result.tokens for result in results),
        "finished": results[at].finished,
        "problem": read[at][1],
    }
