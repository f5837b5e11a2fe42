from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.corpora.readers import CorpusError
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.tables.build import build_tables
from rc_pipeline.tables.quarantine import TablesError
from tests.corpora.raw_zips import write_zip
from tests.pace import within

CONTEXT = "长江全长6397公里，是亚洲第一长河。"


def question(number: int, text: str = "6397公里", start: int = 4, **changes: Any) -> dict[str, Any]:
    answers = [{"text": text, "answer_start": start}]
    return {"id": f"Q{number}", "question": f"问题{number}？", "answers": answers} | changes


def document(*qas: Any, context: str = CONTEXT) -> dict[str, Any]:
    return {"version": "v2.0", "data": [{"title": "长江", "paragraphs": [{"context": context, "qas": list(qas)}]}]}


def build(folder: Path, tolerated: float = 0.0, **documents: Any) -> Outcome:
    raw = {}
    for name, whole in documents.items():
        raw[f"{name}.json"] = folder / f"{name}.json"
        raw[f"{name}.json"].write_text(json.dumps(whole, ensure_ascii=False))
    return build_tables(dataset="river", fmt="squad", raw=raw, tolerated=tolerated, out=folder / "out")


def test_a_document_without_questions_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TablesError, match=r"train\.json: split train of dataset river has no rows"):
        build(tmp_path, train={"version": "1.1", "data": []})


def test_a_file_that_names_no_split_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="'squad.json' names no split"):
        build(tmp_path, squad=document(question(1)))


@pytest.mark.parametrize(
    ("whole", "reason"),
    [
        (document(question(1), question(2, "6398公里")), "answer_not_in_context"),
        (document(question(1), question(2, question=" ")), "empty_question"),
        (document(question(1), question(1)), "duplicate_id"),
        (document(question(1), question(2, id="")), "empty_id"),
        (document(question(1), question(2, question="a\0")), "control_character"),
    ],
)
def test_a_bad_question_is_quarantined_with_its_reason(tmp_path: Path, whole: Any, reason: str) -> None:
    with pytest.raises(TablesError, match=rf"1 of 2 rows are bad(.|\n)*train\.json, line 1: .*\({reason}\)"):
        build(tmp_path, 0.4, train=whole)
    outcome = build(tmp_path, 0.5, train=whole)
    assert outcome.metadata[f"quarantined: {reason}"] == 1
    quarantine = pl.read_parquet(tmp_path / "out" / "quarantine" / "river.parquet")
    assert quarantine["reason"].to_list() == [reason]
    assert json.loads(quarantine["row"][0])["context"] == CONTEXT


def test_an_id_is_unique_in_its_split_over_all_files(tmp_path: Path) -> None:
    files = {"train-a.json": question(1), "train-b.json": question(1), "dev.json": question(1)}
    raw = {}
    for name, one in files.items():
        raw[name] = tmp_path / name
        raw[name].write_text(json.dumps(document(one, context=CONTEXT + name)))
    outcome = build_tables(dataset="river", fmt="squad", raw=raw, tolerated=0.5, out=tmp_path / "out")
    assert outcome.metadata["quarantined: duplicate_id"] == 1
    assert (outcome.metadata["rows of train"], outcome.metadata["rows of valid"]) == (1, 1)


def test_a_context_in_two_splits_is_a_warning(tmp_path: Path) -> None:
    outcome = build(tmp_path, train=document(question(1)), dev=document(question(2)))
    shared = {check.name: check for check in outcome.checks}["splits_are_disjoint"]
    assert (shared.passed, shared.blocking, shared.metadata) == (False, False, {"shared": 1})


def test_a_dataset_becomes_rows_whose_ids_are_those_of_the_file(tmp_path: Path) -> None:
    none = question(2, answers=[], is_impossible=True)
    outcome = build(tmp_path, train=document(question(1, start=5), none), test=document(question(3, answers=[])))
    rows = pl.concat(pl.read_parquet(tmp_path / "out" / name) for name in ("train.parquet", "test.parquet"))
    assert rows.columns == [
        "row_id", "split", "id", "title", "context", "question", "answer", "answers", "answer_start",
        "moved_answers", "group", "gold_answers", "source_file", "source_line",
    ]  # fmt: skip
    assert rows.select("row_id", "answer", "answers", "answer_start", "gold_answers").rows() == [
        ("river/train/Q1", "6397公里", ["6397公里"], 4, ["6397公里"]),
        ("river/train/Q2", None, [], None, []),
        ("river/test/Q3", None, [], None, []),
    ]
    assert rows["group"].n_unique() == 1
    assert outcome.metadata["contexts"] == 1
    assert outcome.metadata["questions without an answer"] == 2
    assert outcome.metadata["answers found elsewhere than answer_start says"] == 1


def test_a_zip_of_several_files_is_one_split(tmp_path: Path) -> None:
    whole = {f"{name}.json": json.dumps(document(question(at), context=CONTEXT)) for at, name in enumerate("ba")}
    path = write_zip(tmp_path / "mine.zip", {name: text.encode() for name, text in whole.items()})
    build_tables(dataset="river", fmt="squad", raw={"train.zip": path}, tolerated=0.0, out=tmp_path / "out")
    table = pl.read_parquet(tmp_path / "out" / "train.parquet")
    assert table.select("row_id", "source_file").rows() == [
        ("river/train/a/Q1", "train/a.json"),
        ("river/train/b/Q0", "train/b.json"),
    ]


def test_88_thousand_questions_take_less_than_eight_seconds(tmp_path: Path) -> None:
    articles = []
    for article in range(440):
        paragraphs = []
        for at in range(40):
            context = f"{article}.{at} " + "word " * 120 + "答案"
            first = (article * 40 + at) * 5
            qas = [question(first + one, "答案", len(context) - 2) for one in range(5)]
            paragraphs.append({"context": context, "qas": qas})
        articles.append({"title": str(article), "paragraphs": paragraphs})
    (tmp_path / "train.json").write_text(json.dumps({"version": "1.1", "data": articles}))
    raw = {"train.json": tmp_path / "train.json"}
    with within(8):
        outcome = build_tables(dataset="river", fmt="squad", raw=raw, tolerated=0.0, out=tmp_path / "out")
    assert outcome.metadata["rows of train"] == 88_000
