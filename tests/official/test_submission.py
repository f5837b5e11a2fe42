"""What a leaderboard takes is whole, or nothing is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.official.submission import Answers, write_submission
from tests.scoring.rows import ASKED_SCHEMA, SAID_SCHEMA, asked, said


class Desk:
    """An evaluation set of two questions, a and b, and what was answered to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.put("quarantine_counts", {"split": ["test"], "reason": [None], "rows": [2]}, reason=pl.String)
        self.put("test", {"row_id": ["c/test/b", "c/test/a"], "id": ["b", "a,1"]})
        self.put("questions/web-test", {"row_id": ["t/b", "t/a"], "id": ["b", "a"], "verified": [None, None]})
        pages = {"row_id": ["t/a", "t/b", "t/a"], "position": [0, 0, 1], "filename": ["1", "2", "3"]}
        self.put("pages/web-test", pages | {"evidence_id": [None] * 3, "verified": [None] * 3})

    def put(self, name: str, columns: dict[str, list[Any]], **kinds: Any) -> None:
        path = self.folder / "tables" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame(columns, schema_overrides=kinds).write_parquet(path)

    def submit(self, fmt: str, split: str, rows: list[Any], answers: list[Any]) -> list[str]:
        for name, content, schema in (("asked", rows, ASKED_SCHEMA), ("said", answers, SAID_SCHEMA)):
            pl.DataFrame(content, schema=schema).write_parquet(self.folder / f"{name}.parquet")
        given = Answers(fmt, split, self.folder / "tables", self.folder / "asked.parquet", self.folder / "said.parquet")
        return write_submission(given, self.folder / "out", {"run": "tuned"})

    def refused(self, message: str, *arguments: Any) -> None:
        with pytest.raises(ValueError, match=message):
            self.submit(*arguments)
        assert not (self.folder / "out").exists()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


COSMOS = [asked("c/test/a"), asked("c/test/b")]
TRIVIA = [asked("t/a", answer_keys=["a--1", "a--3"]), asked("t/b", answer_keys=["b--2"])]


def test_a_row_that_was_not_asked_or_has_no_choice_is_named(desk: Desk) -> None:
    one = [said("c/test/a", "x", choice=1)]
    desk.refused(r"1 of 2 have no label \(c/test/b\); nothing was written", "cosmos_qa", "test", COSMOS, one)
    desk.refused("1 of 2 have no label", "cosmos_qa", "test", COSMOS, [*one, said("c/test/b", "x")])
    desk.refused("1 of 2 have no label", "cosmos_qa", "test", COSMOS[:1], one)


def test_rows_that_were_set_aside_are_told(desk: Desk) -> None:
    desk.put("quarantine_counts", {"split": ["test"], "reason": ["empty_context"], "rows": [3]})
    desk.refused(r"rows were set aside \(3 empty_context\)", "cosmos_qa", "test", COSMOS, [])


def test_a_probe_and_a_format_without_a_leaderboard_are_refused(desk: Desk) -> None:
    desk.refused("submit test", "cosmos_qa", "test.shuffled_options", COSMOS, [])
    desk.refused("format squad: no leaderboard", "squad", "test", COSMOS, [])


def test_an_official_key_without_an_answer_is_named(desk: Desk) -> None:
    desk.refused(r"1 of 3 have no answer \(b--2\)", "trivia_qa", "web-test", TRIVIA, [said("t/a", "x")])
    desk.refused(r"2 of 3 have no answer \(a--1, a--3\)", "trivia_qa", "web-test", TRIVIA[1:], [said("t/b", "x")])


def test_labels_lie_in_the_order_of_the_file(desk: Desk) -> None:
    answers = [said("c/test/a", "x", choice=1), said("c/test/b", "x", choice=3)]
    assert desk.submit("cosmos_qa", "test", COSMOS, answers) == ["2 labels: labels.txt, labels.csv"]
    assert (desk.folder / "out" / "labels.txt").read_text() == "3\n1\n"
    assert (desk.folder / "out" / "labels.csv").read_text() == 'id,label\nb,3\n"a,1",1\n'


def test_every_official_key_has_an_answer_and_an_empty_one_is_told(desk: Desk) -> None:
    answers = [said("t/a", "红鸢"), said("t/b", None, problem="prompt_too_long")]
    told = desk.submit("trivia_qa", "web-test", TRIVIA, answers)
    assert told == ["3 answers: predictions.json", "1 of them are empty and score 0: b--2"]
    written = json.loads((desk.folder / "out" / "predictions.json").read_text(encoding="utf-8"))
    assert written == {"a--1": "红鸢", "a--3": "红鸢", "b--2": ""}
