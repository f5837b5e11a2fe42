"""Cosmos QA's labelled file and the two layouts of predictions that its leaderboard takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rc_pipeline.official.cosmos import evaluate, read_predictions, read_questions

HEADER = "id,context,question,answer0,answer1,answer2,answer3,label\r\n"


def questions(folder: Path, *rows: tuple[str, int | str]) -> Path:
    path = folder / "valid.csv"
    path.write_text(HEADER + "".join(f"{name},ctx {n},q?,a,b,c,d,{label}\r\n" for n, (name, label) in enumerate(rows)))
    return path


def scored(folder: Path, predictions: str) -> dict[str, object]:
    asked = read_questions(questions(folder, ("x", 0), ("y", 1), ("x", 2)))
    (folder / "p").write_text(predictions, encoding="utf-8")
    return evaluate(asked, read_predictions(folder / "p", asked))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER, "no question"),
        ("id,context\n1,2\n", "valid.csv, line 1"),
        (HEADER + "x,c,q,a,b,c,d,4\n", "label = '4'"),
        (HEADER + "x,c,q,a,b,c\n", "line 2: short_row"),
    ],
)
def test_questions_that_are_no_labelled_file_are_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "valid.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_questions(tmp_path / "valid.csv")


def test_the_test_file_has_no_labels_and_says_what_to_do(tmp_path: Path) -> None:
    row = {"id": "x", "context": "c", "question": "q", **{f"answer{n}": "a" for n in range(4)}}
    (tmp_path / "test.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(ValueError, match=r"no labels: `rc-pipeline submission`"):
        read_questions(tmp_path / "test.jsonl")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,answer\nx,1\n", "line 1: the header is 'id,answer'"),
        ("id,label\nx,1,2\n", "line 2: 3 fields"),
    ],
)
def test_a_table_of_predictions_that_is_none_is_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scored(tmp_path, text)


def test_predictions_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"\xff\xfe1")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_predictions(tmp_path / "p", [])


def test_lines_go_with_questions_in_their_order(tmp_path: Path) -> None:
    found = scored(tmp_path, "0\n1\n1\n")
    assert (found["accuracy"], found["correct"], found["denominator"]) == (pytest.approx(200 / 3), 2, 3)
    assert [found[name] for name in ("missing", "extra", "duplicated", "no_label")] == [[], [], [], []]


def test_too_few_and_too_many_lines_and_lines_that_are_no_label_are_reported(tmp_path: Path) -> None:
    found = scored(tmp_path, "0\n")
    assert (found["accuracy"], found["missing"]) == (pytest.approx(100 / 3), ["y", "x"])
    found = scored(tmp_path, "A\n\n2\n1\n9\n")
    assert (found["correct"], found["extra"], found["no_label"]) == (1, ["line 4", "line 5"], ["x: 'A'", "y: ''"])


def test_a_label_as_long_as_a_book_is_told_cut(tmp_path: Path) -> None:
    assert scored(tmp_path, "0\n" + "1" * 1_000_000 + "\n2\n")["no_label"] == [f"y: '{'1' * 80}'"]


def test_ids_may_come_in_any_order_and_repeat_as_the_questions_do(tmp_path: Path) -> None:
    found = scored(tmp_path, "\ufeffid,label\r\ny,1\r\nx,0\r\nx,2\r\n")
    assert (found["accuracy"], found["missing"], found["duplicated"]) == (100.0, [], [])


def test_missing_extra_and_duplicated_ids_are_reported(tmp_path: Path) -> None:
    found = scored(tmp_path, "id,label\nx,0\nx,2\nx,1\nz,1\n")
    assert (found["correct"], found["missing"], found["extra"], found["duplicated"]) == (2, ["y"], ["z"], ["x"])
