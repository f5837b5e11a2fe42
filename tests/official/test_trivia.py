"""TriviaQA's official files, scored as its script scores them, and what would make that script crash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rc_pipeline.official.trivia import Predictions, Questions, evaluate, read_predictions, read_questions
from tests.scoring.restated import best, tokens
from tests.scoring.restated import evaluate as restated

SAMPLE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "trivia_qa"


def datum(name: str, *aliases: str, pages: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return {
        "QuestionId": name, "Question": f"What is {name}?", "Answer": {"NormalizedAliases": list(aliases)},
        "SearchResults": [{"Filename": page, "DocPartOfVerifiedEval": page.startswith("v")} for page in pages], **more,
    }  # fmt: skip


def qa(path: Path, *data: Any, **facts: Any) -> Path:
    path.write_text(json.dumps({"Data": data, "Domain": "Wikipedia", "VerifiedEval": False, **facts}))
    return path


def said(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def scored(folder: Path, predictions: str, *data: Any, **facts: Any) -> dict[str, Any]:
    questions = read_questions(qa(folder / "qa.json", *data, **facts))
    return evaluate(questions, read_predictions(said(folder / "p.json", predictions)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Data": [datum("a") | {"Answer": None}]}, r"1 of 1 questions have no Answer; a test file.*submission"),
        ({"Data": [datum("a"), datum("b") | {"Answer": None}]}, r"1 of 2 questions .*the first is b"),
        ({"Data": []}, "no question counts"),
        ({"Data": [datum("a")], "VerifiedEval": True}, "none of them is verified"),
        ({"Data": [datum("a")], "Domain": None}, "no text under Domain"),
        ({"Data": [{"Question": "?"}]}, "line 1: a question without a QuestionId"),
        ({"Data": [datum("a") | {"Answer": {"NormalizedAliases": "abc"}}]}, "a: Answer: aliases are no list of texts"),
        ({"Data": [datum("a") | {"Answer": {"NormalizedAliases": [1]}}]}, "a: Answer: aliases are no list of texts"),
        ({"Data": [datum("a", "x") | {"SearchResults": ["y"]}], "Domain": "Web"}, "SearchResults of a is no list"),
        ({"Data": [datum("a", "x") | {"SearchResults": [{}]}], "Domain": "Web"}, "has no Filename"),
        ({"Answers": []}, "the top level has no key Data"),
    ],
)
def test_questions_that_make_the_official_script_crash_are_told(tmp_path: Path, change: Any, message: str) -> None:
    facts = {"Domain": "Wikipedia", "VerifiedEval": False, **change}
    path = said(tmp_path / "qa.json", json.dumps({name: value for name, value in facts.items() if value is not None}))
    with pytest.raises(ValueError, match=message):
        read_questions(path)


@pytest.mark.parametrize("text", ["", "[]", '{"a": ', '"a"', "\udcff", "[" * 100_000])
def test_predictions_that_are_no_object_are_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=r"p\.json: (not whole JSON|one JSON object)"):
        read_predictions(path)


def test_missing_extra_repeated_and_senseless_keys_are_reported_and_the_denominator_stays(tmp_path: Path) -> None:
    predictions = '{"a": "x", "a": "one", "z": "?", "c": null, "d": {"e": 1}, "x": 3}'
    found = scored(tmp_path, predictions, *(datum(name, "one") for name in "abcd"))

    assert (found["missing"], found["extra"], found["duplicated"], found["not_text"]) == (
        ["b"], ["z", "x"], ["a"], ["c", "d"]
    )  # fmt: skip
    assert (found["exact_match"], found["f1"], found["common"], found["denominator"]) == (25.0, 25.0, 3, 4)
    assert (found["pred_len"], found["gold_len"]) == (5, 4)


def test_a_question_without_aliases_is_wrong_and_named(tmp_path: Path) -> None:
    found = scored(tmp_path, '{"a": "one", "b": ""}', datum("a", "one"), datum("b"))
    assert (found["exact_match"], found["without_aliases"]) == (50.0, ["b"])


@pytest.mark.parametrize("text", ["\\ud83d", "\\u0000", "\\u001b[2J", "一", "very " * 50_000, "one\\nnever mind"])
def test_malformed_answers_are_wrong_and_no_crash(tmp_path: Path, text: str) -> None:
    assert scored(tmp_path, f'{{"a": "{text}"}}', datum("a", "one"))["exact_match"] == 0


def test_web_keys_are_pages_and_those_of_the_verified_part_only_where_it_is_asked_for(tmp_path: Path) -> None:
    data = [datum("a", "one", pages=("v1.txt", "2.txt"), QuestionPartOfVerifiedEval=True),
            datum("b", "one", pages=("v1.txt",), QuestionPartOfVerifiedEval=False)]  # fmt: skip
    assert list(read_questions(qa(tmp_path / "full", *data, Domain="Web")).keys) == [
        "a--v1.txt", "a--2.txt", "b--v1.txt"
    ]  # fmt: skip
    assert list(read_questions(qa(tmp_path / "part", *data, Domain="Web", VerifiedEval=True)).keys) == ["a--v1.txt"]
    assert list(read_questions(qa(tmp_path / "wiki", *data, VerifiedEval=True)).keys) == ["a"]


def test_answers_of_people_count_too(tmp_path: Path) -> None:
    answer = {"NormalizedAliases": ["one"], "HumanAnswers": ["The ‘Other’ One!"]}
    assert scored(tmp_path, '{"a": "other one"}', datum("a") | {"Answer": answer})["exact_match"] == 100


@pytest.mark.skipif(not SAMPLE.exists(), reason="the official TriviaQA sample is not here")
def test_the_official_sample_gives_what_the_official_script_prints() -> None:
    questions = read_questions(SAMPLE / "triviaqa_sample.json")
    found = evaluate(questions, read_predictions(SAMPLE / "sample_predictions.json"))
    official = {"exact_match": 50.0, "f1": 50.0, "common": 1, "denominator": 2, "pred_len": 1, "gold_len": 2}
    assert {name: found[name] for name in official} == official


TEXTS = st.one_of(
    st.text(max_size=12),
    st.lists(st.sampled_from(["the", "a", "U.S.", "’", "_", "red", "Red", "kite", "日", "an", "ß"]), max_size=5).map(
        " ".join
    ),
)
ANSWER = st.fixed_dictionaries(
    {"NormalizedAliases": st.lists(TEXTS, min_size=1, max_size=4)},
    optional={"HumanAnswers": st.lists(TEXTS, max_size=2)},
)


@settings(deadline=None)
@given(st.lists(st.tuples(ANSWER, st.none() | TEXTS), min_size=1, max_size=12))
def test_totals_equal_the_official_rules_to_the_last_digit(rows: list[tuple[dict[str, list[str]], str | None]]) -> None:
    answers = {str(number): answer for number, (answer, _) in enumerate(rows)}
    predictions = {str(number): text for number, (_, text) in enumerate(rows) if text is not None}
    accepted = [[*answer["NormalizedAliases"], *answer.get("HumanAnswers", [])] for answer in answers.values()]
    found = evaluate(Questions({key: int(key) for key in answers}, accepted), Predictions(dict(predictions), [], []))
    assert {name: found[name] for name in restated(answers, predictions)} == restated(answers, predictions)
    for name in ("exact_match", "f1"):
        low, high = found["intervals"][name]
        assert 0 <= low <= high <= 100


def test_the_restatement_itself_does_as_the_rules_say() -> None:
    assert tokens("‘The’ Beatles´ U.S._") == ["beatles", "u", "s"]
    assert best("west sunset boulevard", ["sunset boulevard", "blvd"]) == (False, pytest.approx(0.8))
