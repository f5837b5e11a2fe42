from __future__ import annotations

import codecs
import json
import math
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.corpora.inventory import opened
from rc_pipeline.corpora.mapped_records import read_mapped
from rc_pipeline.corpora.readers import BadRow, CorpusError, Row

COLUMNS = {"id": "编号", "passage": "文章", "question": "问题", "answer": "答案"}
RECORD: dict[str, Any] = {"编号": "甲1", "文章": "鲸鱼是哺乳动物。", "问题": "鲸鱼是鱼吗？", "答案": "不是"}


def read(
    folder: Path, name: str, data: str | bytes, split: str = "train", columns: dict[str, str] = COLUMNS
) -> list[Row | BadRow]:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    with opened(name, path) as file:
        return list(read_mapped(file, split, columns, set()))


def read_one(folder: Path, record: dict[str, Any], split: str = "train", **columns: str) -> Row | BadRow:
    (row,) = read(folder, "x.json", json.dumps([record]), split, columns or COLUMNS)
    return row


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        (
            "x.csv",
            "编号,文章,问题\n1,文,问\n",
            "there is no column 答案; the file has 编号, 文章, 问题. Correct columns",
        ),
        ("x.tsv", "编号\t文章\t问题\n", "there is no column 答案; the file has 编号, 文章, 问题"),
        ("x.csv", "编号,文章,问题,答案,问题\n", "two columns are called 问题; the file has"),
        (
            "x.json",
            json.dumps([{"编号": "1", "问题": "?"}] * 2),
            "there is no column 文章, 答案; the file has 编号, 问题",
        ),
        ("x.jsonl", '{"a": 1}\n', "the file has a. Correct"),
        (
            "x.csv",
            "编号,文章,问题,答案\n".encode("gbk"),
            "columns are not UTF-8; as GB18030 they read 编号, 文章, 问题, 答案. Save the file as UTF-8",
        ),
        ("x.json", json.dumps([RECORD], ensure_ascii=False).encode("gbk"), "columns are not UTF-8"),
        ("x.csv", codecs.BOM_UTF16_LE + "编号,文章\n".encode("utf-16-le"), "UTF-16 text; save it as UTF-8"),
        ("x.csv", "<html>", "HTML"),
        ("x.json", json.dumps([RECORD])[:-9], "ends in the middle"),
        ("x.jsonl", json.dumps(RECORD)[:-9], "ends in the middle"),
        ("x.csv", "编号,文章,问题,答案\n1,鲸", "line 2: the file ends in the middle"),
    ],
)
def test_a_file_that_cannot_be_mapped_is_an_error_that_says_why(
    tmp_path: Path, name: str, data: str | bytes, said: str
) -> None:
    with pytest.raises(CorpusError, match=said):
        read(tmp_path, name, data)


def test_gbk_rows_under_a_plain_header_are_set_aside_with_the_remedy(tmp_path: Path) -> None:
    (bad,) = read(tmp_path, "x.csv", "q\n鲸鱼\n".encode("gbk"), columns={"question": "q"})
    assert isinstance(bad, BadRow)
    assert (bad.reason, bad.line) == ("bad_utf8", 2)
    assert "Save the file as UTF-8" in bad.describe()


@pytest.mark.parametrize(
    ("changes", "reason", "column"),
    [
        ({"问题": None}, "missing_field", "问题"),
        ({"答案": None}, "missing_field", "答案"),
        ({"答案": []}, "missing_field", "答案"),
        ({"答案": ["不是", " "]}, "empty_answer", "答案"),
        ({"答案": ["不是", None]}, "empty_answer", "答案"),
        ({"答案": ["不是", ["否"]]}, "not_text", "答案"),
        ({"文章": {"text": "鲸"}}, "not_text", "文章"),
        ({"文章": ["鲸"]}, "not_text", "文章"),
        ({"文章": math.inf}, "not_text", "文章"),
        ({"答案": -math.inf}, "not_text", "答案"),
        ({"文章": "\ud800"}, "bad_utf8", "文章"),
        ({"编号": float("nan")}, "missing_field", "编号"),
    ],
)
def test_a_value_that_is_no_text_is_set_aside_with_its_column(
    tmp_path: Path, changes: dict[str, Any], reason: str, column: str
) -> None:
    bad = read_one(tmp_path, RECORD | changes)
    assert isinstance(bad, BadRow)
    assert (bad.reason, bad.field, bad.file, bad.line) == (reason, column, "x.json", 1)


def test_a_row_without_a_column_that_others_have_is_set_aside(tmp_path: Path) -> None:
    short = {key: value for key, value in RECORD.items() if key != "问题"}
    bad, good = read(tmp_path, "x.jsonl", "\n".join(json.dumps(one) for one in (short, RECORD)))
    assert isinstance(bad, BadRow)
    assert (bad.reason, bad.field) == ("missing_field", "问题")
    assert isinstance(good, Row)


def test_an_id_that_stands_twice_in_a_split_is_set_aside(tmp_path: Path) -> None:
    first, bad = read(tmp_path, "x.jsonl", "\n".join(json.dumps(RECORD | {"问题": text}) for text in "甲乙"))
    assert isinstance(first, Row)
    assert first.key == "甲1"
    assert isinstance(bad, BadRow)
    assert (bad.reason, bad.field, bad.value, bad.line) == ("duplicate_id", "编号", "甲1", 2)


@pytest.mark.parametrize("open_value", [None, "", []])
def test_a_test_split_may_leave_answer_and_label_open_and_nothing_else(tmp_path: Path, open_value: Any) -> None:
    row = read_one(tmp_path, {"q": "?", "a": open_value, "l": None}, "test", question="q", answer="a", label="l")
    assert isinstance(row, Row)
    assert row.fields == {"question": "?", "answer": None, "answers": [], "label": None}
    absent = read_one(tmp_path, {"q": "?"}, "test", question="q", answer="a", label="l")
    assert isinstance(absent, Row)
    assert absent.fields == row.fields
    assert isinstance(read_one(tmp_path, {"q": None, "a": "x"}, "test", question="q", answer="a"), BadRow)
    csv = read(tmp_path, "x.csv", "q,a\n问,\n", "test", {"question": "q", "answer": "a"})
    assert [row.fields for row in csv if isinstance(row, Row)] == [{"question": "问", "answer": None, "answers": []}]


@pytest.mark.parametrize(
    ("value", "text"),
    [(7, "7"), (0, "0"), (-0.5, "-0.5"), (3.0, "3.0"), (True, "true"), (False, "false"), (10**30, "1" + "0" * 30)],
)
def test_numbers_and_booleans_become_text(tmp_path: Path, value: Any, text: str) -> None:
    row = read_one(tmp_path, {"v": value}, value="v", label="v", answer="v")
    assert isinstance(row, Row)
    assert row.fields == {"value": text, "label": text, "answer": text, "answers": [text]}


@pytest.mark.parametrize(
    ("value", "answers"),
    [
        (["不是", "否", "不是"], ["不是", "否"]),
        ([1990, "一九九〇"], ["1990", "一九九〇"]),
        ('["不是", "否"]', ["不是", "否"]),
        ("[5]", ["[5]"]),
        ('["', ['["']),
        ("[sic]", ["[sic]"]),
    ],
)
def test_a_list_of_answers_means_that_each_is_right(tmp_path: Path, value: Any, answers: list[str]) -> None:
    row = read_one(tmp_path, RECORD | {"答案": value})
    assert isinstance(row, Row)
    assert (row.fields["answer"], row.fields["answers"]) == (answers[0], answers)


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.json", "x.jsonl", "x.parquet"])
def test_every_kind_of_file_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    frame = pl.DataFrame([RECORD | {"unused": "x"}])
    match name:
        case "x.csv" | "x.tsv":
            frame.write_csv(path, separator="," if name == "x.csv" else "\t", include_bom=True)
        case "x.json":
            frame.write_json(path)
        case "x.jsonl":
            frame.write_ndjson(path)
        case _:
            frame.write_parquet(path)
    with opened(name, path) as file:
        (row,) = read_mapped(file, "train", COLUMNS, set())
    assert isinstance(row, Row)
    assert row.fields == {"id": "甲1", "passage": "鲸鱼是哺乳动物。", "question": "鲸鱼是鱼吗？", "answer": "不是",
                          "answers": ["不是"]}  # fmt: skip


def test_dates_and_decimals_of_parquet_become_text_and_bytes_do_not(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    values = {"d": date(2024, 2, 29), "n": Decimal("1.50"), "l": [["甲", "乙"]], "b": b"\xff"}
    pl.DataFrame(values).write_parquet(path)
    with opened("x.parquet", path) as file:
        (row,) = read_mapped(file, "train", {"day": "d", "price": "n", "answer": "l"}, set())
    assert isinstance(row, Row)
    assert row.fields == {"day": "2024-02-29", "price": "1.50", "answer": "甲", "answers": ["甲", "乙"]}
    with opened("x.parquet", path) as file:
        (bad,) = read_mapped(file, "train", {"picture": "b"}, set())
    assert isinstance(bad, BadRow)
    assert bad.reason == "not_text"


@pytest.mark.parametrize("name", ["\\ud800", "\\udc00"])
def test_a_column_whose_name_is_half_a_character_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(CorpusError, match="the names of the columns are not UTF-8"):
        read(tmp_path, "x.jsonl", f'{{"{name}": 1}}\n')


def test_a_message_does_not_list_a_million_columns(tmp_path: Path) -> None:
    record = json.dumps(dict.fromkeys(map(str, range(100_000)), 1))
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, "x.jsonl", record + "\n")
    assert len(str(caught.value)) < 1000
