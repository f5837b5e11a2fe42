"""`rc-pipeline score` on official files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from rc_pipeline.cli import main

QA = {
    "Data": [{"QuestionId": "q1", "Answer": {"NormalizedAliases": ["red kite"]}},
             {"QuestionId": "q2", "Answer": {"NormalizedAliases": ["owl"]}}],
    "Domain": "Wikipedia", "VerifiedEval": False,
}  # fmt: skip


def call(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(main, ["score", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def trivia(tmp_path: Path) -> list[Any]:
    (tmp_path / "qa.json").write_text(json.dumps(QA))
    (tmp_path / "p.json").write_text('{"q1": "The Red Kite", "q9\\u001b": "x"}')
    return ["trivia_qa", "--questions", tmp_path / "qa.json", "--predictions", tmp_path / "p.json"]


def test_a_file_of_another_benchmark_is_one_message(tmp_path: Path, trivia: list[Any]) -> None:
    said = call("cosmos_qa", *trivia[1:], code=1)
    assert said.startswith("Error: ")
    assert "Traceback" not in said


def test_a_file_that_is_not_there_is_named(trivia: list[Any]) -> None:
    assert "nowhere.json" in call(*trivia[:-1], "nowhere.json", code=2)


def test_json_has_the_official_keys_and_intervals(trivia: list[Any]) -> None:
    found = json.loads(call(*trivia, "--json"))
    official = {"exact_match": 50.0, "f1": 50.0, "common": 1, "denominator": 2, "pred_len": 2, "gold_len": 2}
    assert {name: found[name] for name in official} == official
    assert found["intervals"]["exact_match"] == [0.0, 100.0]
    assert (found["missing"], found["extra"]) == (["q2"], ["q9\x1b"])


def test_words_have_every_digit_and_no_character_that_moves_a_cursor(trivia: list[Any]) -> None:
    said = call(*trivia)
    assert "exact_match     50.0  [0.00, 100.00]" in said
    assert "missing         1: q2" in said
    assert r"extra           1: q9\x1b" in said
    assert "\x1b" not in said


def test_keys_that_no_utf8_holds_are_escaped_and_the_score_stands(tmp_path: Path, trivia: list[Any]) -> None:
    (tmp_path / "p.json").write_text('{"q1": "red kite", "\\ud800": "x", "\\u009b31m": "y"}')
    said = call(*trivia, "--json")
    assert json.loads(said)["extra"] == ["\ud800", "\x9b31m"]
    assert said.isascii()


def test_an_error_spells_out_what_would_move_a_cursor(tmp_path: Path, trivia: list[Any]) -> None:
    broken = {**QA, "Data": [{"QuestionId": "q\x1b[2J\u202e", "Answer": {"NormalizedAliases": 7}}]}
    (tmp_path / "qa.json").write_text(json.dumps(broken))
    with pytest.raises(click.ClickException, match=r"q␛\[2J‹U\+202E›: Answer: aliases are no list of texts"):
        main(["score", *map(str, trivia)], standalone_mode=False)


def test_cosmos_labels_are_scored_by_line(tmp_path: Path) -> None:
    row = "c,q?,a,b,c,d"
    (tmp_path / "valid.csv").write_text(
        f"id,context,question,answer0,answer1,answer2,answer3,label\nx,{row},2\ny,{row},1\n"
    )
    (tmp_path / "labels.txt").write_text("2\n0\n")
    files = ["cosmos_qa", "--questions", tmp_path / "valid.csv", "--predictions", tmp_path / "labels.txt"]
    assert json.loads(call(*files, "--json"))["accuracy"] == 50.0
    assert call(*files).startswith("accuracy        50.0  [")
