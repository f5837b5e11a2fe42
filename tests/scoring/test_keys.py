"""Official keys: one answer for many, and the best of several for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.lake.outcome import Outcome
from tests.scoring.rows import asked, multiple_choice, said

Score = Callable[..., Outcome]


@pytest.fixture
def by_key(tmp_path: Path) -> Callable[[], dict[str, dict[str, Any]]]:
    return lambda: {row["key"]: row for row in pl.read_parquet(tmp_path / "out" / "questions.parquet").to_dicts()}


def page(key: str, number: int, **fields: Any) -> dict[str, Any]:
    return asked(key, instruction_id=f"{key}:t:{number}", **fields)


def told(key: str, number: int, answer: str | None, **fields: Any) -> dict[str, Any]:
    return said(key, answer, instruction_id=f"{key}:t:{number}", **fields)


def test_one_answer_counts_for_every_page_of_its_question(scored: Score, by_key: Any, values: Any) -> None:
    rows = [
        asked("a", gold_answers=["kite"], answer_keys=["a--1", "a--2", "a--3"]),
        asked("b", gold_answers=["owl"], answer_keys=["b--1"]),
    ]
    scored(rows, [said("a", "kite"), said("b", "wren")], "trivia_qa")
    assert sorted(by_key()) == ["a--1", "a--2", "a--3", "b--1"]
    assert values()["exact_match"] == 75.0


def test_of_several_documents_the_likeliest_answer_counts_and_silence_never_does(scored: Score, by_key: Any) -> None:
    rows = [page("a", number, gold_answers=["kite"], answer_keys=["a"]) for number in range(5)]
    answers = [
        told("a", 0, "owl", answer_logprob=-2.0), told("a", 1, "kite", answer_logprob=-1.5),
        told("a", 2, "wren", answer_logprob=-9.0), told("a", 3, " ", answer_logprob=-0.1),
        told("a", 4, None, problem="prompt_too_long"),
    ]  # fmt: skip
    scored(rows, answers, "trivia_qa")
    assert [(row["answer"], row["instruction_id"], row["correct"]) for row in by_key().values()] == [
        ("kite", "a:t:1", True)
    ]


def test_a_document_that_was_not_asked_about_is_a_missing_prediction(scored: Score, by_key: Any) -> None:
    rows = [page("a", number, gold_answers=["kite"], answer_keys=["a"]) for number in range(2)]
    outcome = scored(rows, [told("a", 0, "kite")], "trivia_qa")
    checks = {check.name: check.passed for check in outcome.checks}
    assert (checks["every_question_is_answered"], by_key()["a"]["correct"]) == (False, True)


def test_a_limit_takes_whole_questions(scored: Score, by_key: Any) -> None:
    rows = [
        page(key, n, gold_answers=["x"], answer_keys=[f"{key}--{n}"], order=ord(key)) for key in "ab" for n in (1, 2)
    ]
    scored(rows, [told("a", n, "x") for n in (1, 2)], "trivia_qa", limit=1)
    assert sorted(by_key()) == ["a--1", "a--2"]


def test_questions_about_one_passage_are_drawn_together(scored: Score, tmp_path: Path) -> None:
    def width(**fields: Any) -> float:
        rows = [multiple_choice(f"{n:03}", 0) | {name: make(n) for name, make in fields.items()} for n in range(200)]
        scored(rows, [said(f"{n:03}", "x", choice=(n // 10) % 2) for n in range(200)], "choices")
        _, low, high = pl.read_parquet(tmp_path / "out" / "scores.parquet").select("value", "low", "high").row(0)
        return high - low

    apart, together = width(group=str), width(group=lambda n: str(n // 10))
    assert together > 2.5 * apart


def test_perplexity_is_that_of_all_tokens_of_the_right_answers(scored: Score, values: Any, by_key: Any) -> None:
    from math import exp

    rows = [asked(key, gold_answers=["x"]) for key in "abc"]
    answers = [
        said("a", "x", gold_logprob=-1.0, gold_tokens=2), said("b", "x", gold_logprob=-5.0, gold_tokens=3),
        said("c", "x"),
    ]  # fmt: skip
    scored(rows, answers, "trivia_qa")
    assert values()["perplexity"] == pytest.approx(exp(6 / 5), rel=1e-6)
    assert by_key()["a"]["gold_tokens"] == 2


def test_verdicts_carry_what_they_are_told_apart_by(scored: Score, by_key: Any, tmp_path: Path) -> None:
    row = multiple_choice("a", 2) | {"question": "Why?", "passage_words": 7}
    other = multiple_choice("b", 2) | {"choices": ["red", "None of the above"], "gold_label": 0, "question": "Who?"}
    scored([row, other], [said("a", "blue", choice=2), said("b", "x", choice=1)], "choices")
    found = by_key()["a"]
    assert {name: found[name] for name in ("question_word", "passage_words", "choice", "gold_label")} == {
        "question_word": "why", "passage_words": 7, "choice": 2, "gold_label": 2
    }  # fmt: skip
    slices = pl.read_parquet(tmp_path / "out" / "slices.parquet")
    assert slices.columns == ["run", "eval_set", "metric", "slice", "value", "low", "high", "n"]
    assert dict(slices.select("slice", "value").iter_rows()) == {
        "question_word=who": 0.0, "question_word=why": 100.0, "has_none_option=false": 100.0,
        "has_none_option=true": 0.0,
    }  # fmt: skip


def test_bleu_is_reached_from_the_counts_in_the_verdicts(scored: Score, values: Any, by_key: Any) -> None:
    import numpy as np

    from rc_pipeline.scoring.translation import bleu

    rows = [asked("a", gold_answers=["the cat is on the mat"]), asked("b", gold_answers=["a dog sat on the log"])]
    scored(rows, [said("a", "the cat is on a mat"), said("b", "a dog on the log")], "translation")
    counts = np.array([row["bleu_counts"] for row in by_key().values()])
    assert values()["bleu"] == bleu(counts.sum(axis=0, keepdims=True))[0]
