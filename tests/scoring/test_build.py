from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.scoring.build import CHECKS, ScoringError, score
from tests.scoring.rows import asked, multiple_choice, said

Score = Callable[..., Outcome]
Questions = Callable[[], dict[str, dict[str, Any]]]
Values = Callable[[], dict[str, float | None]]
SAMPLE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "trivia_qa"


def passed(outcome: Outcome) -> dict[str, bool]:
    assert {check.name: check.blocking for check in outcome.checks} == CHECKS
    return {check.name: check.passed for check in outcome.checks}


def test_a_kind_without_rules_is_refused_by_name(scored: Score) -> None:
    with pytest.raises(ScoringError, match=r"'essay'.*choices, trivia_qa, squad"):
        scored([asked("a")], [], "essay")


def test_an_empty_evaluation_set_is_refused(scored: Score) -> None:
    with pytest.raises(ScoringError, match="no instruction to score"):
        scored([], [], "choices")


def test_a_limit_of_nothing_is_refused(scored: Score) -> None:
    with pytest.raises(ScoringError, match="limit: 0"):
        scored([multiple_choice("a", 0)], [], "choices", limit=0)


def test_another_runs_predictions_are_refused(scored: Score) -> None:
    with pytest.raises(ScoringError, match=r"base on set/valid.*not only of tuned"):
        scored([multiple_choice("a", 0)], [said("a", "red", run="base")], "choices")


def test_a_question_answered_twice_is_refused(scored: Score) -> None:
    with pytest.raises(ScoringError, match=r"predictions.parquet: 1 instruction_id.*a:t"):
        scored([multiple_choice("a", 0)], [said("a", "red"), said("a", "green")], "choices")


def test_a_file_that_lacks_a_column_is_named_with_the_columns_it_has(tmp_path: Path) -> None:
    pl.DataFrame({"instruction_id": ["a"]}).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(
        ScoringError, match=r"x\.parquet: instructions lack the columns row_id.*there are: instruction_id"
    ):
        score(
            run="r", eval_set="e", kind="choices", predictions=tmp_path / "x.parquet",
            instructions=tmp_path / "x.parquet", limit=None, seed=0, out=tmp_path / "out",
        )  # fmt: skip


@pytest.mark.parametrize("field", ["answer_logprob", "gold_logprob"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_log_probability_that_is_no_number_is_refused(scored: Score, field: str, value: float) -> None:
    rows = [said("a", "x", gold_tokens=1), said("b", "x", **{"gold_tokens": 1, field: value})]
    with pytest.raises(ScoringError, match=rf"{field} of 1 predictions is no finite number \(b:t\)"):
        scored([asked("a", gold_answers=["x"]), asked("b", gold_answers=["x"])], rows, "trivia_qa")


@pytest.mark.parametrize("keys", [[], [None]])
def test_a_question_that_stands_for_no_key_is_refused_and_not_left_out(scored: Score, keys: list[Any]) -> None:
    rows = [asked("a", gold_answers=["x"]), asked("b", gold_answers=["x"], answer_keys=keys)]
    with pytest.raises(ScoringError, match=r"answer_keys of 1 instructions is a list without a key \(b:t\)"):
        scored(rows, [said("a", "x"), said("b", "x")], "trivia_qa")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"not parquet")
    with pytest.raises(ScoringError, match=r"x\.parquet: instructions cannot be read"):
        score(
            run="r", eval_set="e", kind="choices", predictions=tmp_path / "x.parquet",
            instructions=tmp_path / "x.parquet", limit=None, seed=0, out=tmp_path / "out",
        )  # fmt: skip


def test_a_missing_prediction_is_wrong_over_the_full_denominator(
    scored: Score, values: Values, questions: Questions
) -> None:
    outcome = scored([multiple_choice("a", 0), multiple_choice("b", 1)], [said("a", "red", choice=0)], "choices")
    assert values() == {"accuracy": 50.0}
    assert questions()["b"]["problem"] == "missing_prediction"
    assert passed(outcome)["every_question_is_answered"] is False


def test_a_prediction_of_no_known_question_is_left_out_and_reported(scored: Score, values: Values) -> None:
    rows = [said("a", "red", choice=0), said("z", "red", choice=0)]
    outcome = scored([multiple_choice("a", 0)], rows, "choices")
    assert values() == {"accuracy": 100.0}
    assert passed(outcome) == {
        "every_question_is_answered": True, "no_unknown_predictions": False, "every_question_has_gold": True
    }  # fmt: skip


def test_only_the_questions_with_the_smallest_order_count(scored: Score, questions: Questions) -> None:
    rows = [multiple_choice(key, 0, order=order) for key, order in zip("abcd", (2**64 - 1, 3, 1, 2), strict=True)]
    outcome = scored(rows, [said(key, "red", choice=0) for key in "cd"], "choices", limit=2)
    assert list(questions()) == ["c", "d"]
    assert all(passed(outcome).values())


def test_predictions_beyond_the_limit_are_not_called_unknown(scored: Score) -> None:
    rows = [multiple_choice("a", 0, order=0), multiple_choice("b", 0, order=1)]
    assert all(passed(scored(rows, [said("a", "red"), said("b", "red")], "choices", limit=1)).values())


def test_a_split_without_any_gold_has_no_score_rather_than_zero(scored: Score, values: Values) -> None:
    outcome = scored([multiple_choice("a", None)], [said("a", "red", choice=0)], "choices")
    assert values() == {"accuracy": None}
    assert outcome.metadata["accuracy"] == "no gold answers"
    assert passed(outcome)["every_question_has_gold"] is False


def test_one_question_without_gold_counts_as_wrong_and_is_reported(
    scored: Score, values: Values, questions: Questions
) -> None:
    rows = [asked("a", gold_answers=["Paris"]), asked("b", gold_answers=[])]
    outcome = scored(rows, [said("a", "Paris."), said("b", "Rome")], "trivia_qa")
    assert values() == {"exact_match": 50.0, "f1": 50.0}
    assert outcome.metadata["without_gold"] == 1
    assert questions()["b"]["problem"] == "no_gold_answer"


MALFORMED = {
    "null": (None, "empty_answer"),
    "empty": ("", "empty_answer"),
    "blank": (" \n ", "empty_answer"),
    "control": ("Paris\x00\x1b[31m", "control_characters"),
    "endless": ("very " * 50_000, "unfinished_answer"),
    "script": ("巴黎", None),
    "marks": ("?!…", None),
}


def test_malformed_output_is_wrong_and_shown_as_such(scored: Score, values: Values, questions: Questions) -> None:
    rows = [asked(key, gold_answers=["paris"]) for key in MALFORMED]
    answers = [said(key, text, finished=key != "endless") for key, (text, _) in MALFORMED.items()]
    outcome = scored(rows, answers, "trivia_qa")
    assert values() == {"exact_match": 0.0, "f1": 0.0}
    assert {key: row["problem"] for key, row in questions().items()} == {k: p for k, (_, p) in MALFORMED.items()}
    assert {key: row["answer"] for key, row in questions().items()} == {k: text for k, (text, _) in MALFORMED.items()}
    shown = json.dumps(outcome.metadata["wrong_answers"], ensure_ascii=False)
    assert "\\\\x00" in shown
    assert "250000 characters" in shown
    assert "\x1b" not in shown
    assert len(shown) < 2_000


def test_what_the_predictor_says_went_wrong_is_kept(scored: Score, questions: Questions) -> None:
    scored([multiple_choice("a", 0)], [said("a", None, problem="prompt_too_long")], "choices")
    assert questions()["a"]["problem"] == "prompt_too_long"


def test_a_choice_is_judged_by_its_position(scored: Score, questions: Questions) -> None:
    rows = [multiple_choice("a", 2), multiple_choice("b", 2)]
    scored(rows, [said("a", "blue", choice=2), said("b", "blue", choice=1)], "choices")
    assert [row["correct"] for row in questions().values()] == [True, False]
    assert questions()["a"]["gold"] == "blue"
    assert questions()["a"]["f1"] is None


def test_a_multiple_choice_set_asked_without_choices_is_judged_by_the_text(scored: Score, questions: Questions) -> None:
    rows = [asked(key, gold_answers=["They ca n't leave ."]) for key in "ab"]
    scored(rows, [said("a", "they  ca n't leave ."), said("b", "they leave .")], "choices")
    assert [row["correct"] for row in questions().values()] == [True, False]


def test_scores_are_sorted_complete_and_the_same_on_every_run(scored: Score, tmp_path: Path) -> None:
    rows = [multiple_choice(f"{i:03}", i % 4, order=1000 - i) for i in range(200)]
    answers = [said(f"{i:03}", "x", choice=i % 3) for i in range(200)]
    first = scored(rows, answers, "choices")
    files = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert scored(rows[::-1], answers[::-1], "choices") == first
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == files
    questions = pl.read_parquet(tmp_path / "out" / "questions.parquet")
    assert questions["instruction_id"].is_sorted()
    scores = pl.read_parquet(tmp_path / "out" / "scores.parquet")
    assert scores.columns == ["run", "eval_set", "metric", "value", "low", "high", "n"]
    _, _, _, value, low, high, n = scores.row(0)
    assert n == 200
    assert low < value < high
    assert value == pytest.approx(100 * questions["correct"].mean())


@pytest.mark.skipif(not SAMPLE.exists(), reason="the official TriviaQA sample is not here")
def test_the_official_sample_scores_what_the_official_script_prints(scored: Score, tmp_path: Path) -> None:
    data = json.loads((SAMPLE / "triviaqa_sample.json").read_text(encoding="utf-8"))["Data"]
    said_by_key = json.loads((SAMPLE / "sample_predictions.json").read_text(encoding="utf-8"))
    rows = [
        asked(f"{datum['QuestionId']}--{page['Filename']}", gold_answers=datum["Answer"]["NormalizedAliases"])
        for datum in data
        for page in [*datum["EntityPages"], *datum["SearchResults"]]
    ]
    scored(rows, [said(key, answer) for key, answer in said_by_key.items()], "trivia_qa")
    scores = pl.read_parquet(tmp_path / "out" / "scores.parquet")
    assert scores.select("metric", "value", "n").rows() == [("exact_match", 50.0, 2), ("f1", 50.0, 2)]
