from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rc_pipeline.corpora.inventory import opened
from rc_pipeline.corpora.mmlu import Paper, is_paper, paper_of, read_paper
from rc_pipeline.corpora.readers import BadRow, CorpusError, Row

GOOD = {"question": "1 + 1?", "choices": ["1", "2", "3", "4"], "answer": 1}
TOLD = {"subject": "sums", "question": "1 + 1?", "answer0": "1", "answer1": "2", "answer2": "3", "answer3": "4"}


def read(folder: Path, data: bytes | str, name: str = "dev/sums_dev.csv") -> list[Row | BadRow]:
    path = folder / "raw"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with opened(name, path) as file:
        return list(read_paper(file, paper_of(name)))


def fields(found: list[Row | BadRow]) -> list[dict[str, Any]]:
    return [row.fields for row in found if isinstance(row, Row)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<html>", "HTML"),
        ("问,1,2,3,4,A\n".encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04", "a zip archive or a spreadsheet"),
        (b"1 + 1?,1,2,3,4,B\n1 + 2?,1,2", "line 2: the file ends in the middle of a row"),
    ],
)
def test_what_is_no_whole_file_is_an_error(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        read(tmp_path, data)


@pytest.mark.parametrize(
    ("data", "said"),
    [(b'[{"question": "1', "ends in the middle"), (b"PAR1 and then nothing", "the Parquet file is damaged")],
)
def test_what_is_no_whole_file_of_records_is_an_error(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        read(tmp_path, data, "dev/sums")


@pytest.mark.parametrize(
    ("line", "reason", "field"),
    [
        (b"1 + 1?,1,2,3,B", "short_row", "the row"),
        (b"1 + 1?,1,2,3,4,B,more", "long_row", "the row"),
        (b'"1 + 1?,1,2,3,4,B', "broken_quotes", "the row"),
        (b"1 + 1?,1,2,3,4,E", "answer_not_a_to_d", "answer"),
        (b"1 + 1?,1,2,3,4,b", "answer_not_a_to_d", "answer"),
        (b"1 + 1?,1,2,3,4,AB", "answer_not_a_to_d", "answer"),
        (b"1 + 1?,1,2,3,4,1", "answer_not_a_to_d", "answer"),
        (b"1 + 1?,1,2,3,4,", "answer_not_a_to_d", "answer"),
        (b"1 + \xff?,1,2,3,4,B", "bad_utf8", "byte 21 of the file"),
    ],
)
def test_a_bad_line_is_set_aside_and_reading_goes_on(tmp_path: Path, line: bytes, reason: str, field: str) -> None:
    first, bad, last = read(tmp_path, b"1 + 1?,1,2,3,4,B\n" + line + b"\n1 + 2?,1,2,3,4,C\n")
    assert isinstance(bad, BadRow)
    assert (bad.reason, bad.field, bad.line) == (reason, field, 2)
    assert (type(first), type(last), last.line) == (Row, Row, 3)


@pytest.mark.parametrize(
    ("record", "reason", "field"),
    [
        ("text", "not_an_object", "the row"),
        ({"choices": list("1234"), "answer": 0}, "missing_field", "question"),
        (GOOD | {"question": 7}, "not_text", "question"),
        (GOOD | {"choices": list("123")}, "not_four_choices", "choices"),
        (GOOD | {"choices": "1234"}, "not_four_choices", "choices"),
        (GOOD | {"choices": [1, 2, 3, 4]}, "not_text", "answer0"),
        ({"question": "?", "A": "1", "B": "2", "C": "3", "answer": "A"}, "not_four_choices", "choices"),
        (GOOD | {"answer": 4}, "answer_not_a_to_d", "answer"),
        (GOOD | {"answer": True}, "answer_not_a_to_d", "answer"),
        (GOOD | {"answer": None}, "answer_not_a_to_d", "answer"),
    ],
)
def test_a_bad_record_is_set_aside_with_its_field(tmp_path: Path, record: Any, reason: str, field: str) -> None:
    (bad,) = read(tmp_path, json.dumps([record]), "dev/sums.json")
    assert isinstance(bad, BadRow)
    assert (bad.reason, bad.field) == (reason, field)


def test_a_file_that_names_no_subject_anywhere_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="neither the file's name nor its rows name a subject. Call it <subject>_dev"):
        read(tmp_path, json.dumps([GOOD]), "dev.json")


@pytest.mark.parametrize("name", ["data/README.csv", "sums.csv", "sums_dev_old.csv", "devices.csv"])
def test_a_file_of_no_split_is_an_error(name: str) -> None:
    with pytest.raises(CorpusError, match=f"raw file '{name}' names no split. Put it into a folder dev"):
        paper_of(name)


@pytest.mark.parametrize(
    ("name", "split", "subject"),
    [
        ("data/data/dev/abstract_algebra_dev.csv", "dev", "abstract_algebra"),
        ("data/data/val/abstract_algebra_val.csv", "valid", "abstract_algebra"),
        ("data/data/test/abstract_algebra_test.csv", "test", "abstract_algebra"),
        ("data/data/auxiliary_train/race.csv", "train", "race"),
        ("data/data/auxiliary_train/mc_test.csv", "train", "mc_test"),
        ("test/dev/agronomy.csv", "dev", "agronomy"),
        ("agronomy_val.csv", "valid", "agronomy"),
        ("dev-agronomy.csv.gz", "dev", "agronomy"),
        ("test.parquet", "test", ""),
        ("validation.jsonl", "valid", ""),
    ],
)
def test_folder_and_name_tell_split_and_subject(name: str, split: str, subject: str) -> None:
    assert paper_of(name) == Paper(split, subject)
    assert is_paper(name)


def test_what_lies_beside_the_papers_is_none() -> None:
    assert not any(is_paper(name) for name in ("data/data/README.txt", "data/possibly_contaminated_urls.txt"))


def test_a_file_without_a_header_is_read_from_its_first_line(tmp_path: Path) -> None:
    data = codecs.BOM_UTF8 + '1 + 1?,1,2,3,4,B\r\n"长江, 黄河\n哪个更长？",长江,黄河,"一样, 长",不知道,A\r\n'.encode()
    first, second = fields(read(tmp_path, data))
    assert first == TOLD | {"label": 1}
    assert second["question"] == "长江, 黄河\n哪个更长？"
    assert (second["answer2"], second["label"]) == ("一样, 长", 0)


@pytest.mark.parametrize("start", ["[", "{", '"'])
def test_the_first_question_of_a_csv_file_may_begin_with_a_bracket(tmp_path: Path, start: str) -> None:
    quoted = f'"{start.replace(chr(34), chr(34) * 2)}1, 2] 的第一个数？"'
    (row,) = fields(read(tmp_path, f"{quoted},1,2,3,4,A\n"))
    assert row["question"] == f"{start}1, 2] 的第一个数？"


@pytest.mark.parametrize(
    "text",
    [
        ",Question,A,B,C,D,Answer\n0,1 + 1?,1,2,3,4,B\n",
        "id,question,A,B,C,D,answer,explanation\n0,1 + 1?,1,2,3,4,B,because\n",
    ],
)
def test_a_header_is_recognised(tmp_path: Path, text: str) -> None:
    assert fields(read(tmp_path, text)) == [TOLD | {"label": 1}]


def test_only_a_test_paper_may_keep_its_answers_back(tmp_path: Path) -> None:
    text = "id,question,A,B,C,D\n0,1 + 1?,1,2,3,4\n"
    assert fields(read(tmp_path, text, "test/sums_test.csv")) == [TOLD | {"label": None}]
    (bad,) = read(tmp_path, text, "val/sums_val.csv")
    assert isinstance(bad, BadRow)
    assert bad.reason == "answer_not_a_to_d"


@pytest.mark.parametrize(
    "record", [GOOD, {"Question": "1 + 1?", "A": "1", "B": "2", "C": "3", "D": "4", "Answer": "B"}]
)
def test_records_name_their_subject_or_have_that_of_the_file(tmp_path: Path, record: dict[str, Any]) -> None:
    lines = "\ufeff" + json.dumps(record) + "\n" + json.dumps(record | {"subject": "算术"}) + "\n"
    assert fields(read(tmp_path, lines, "dev/sums.jsonl")) == [
        TOLD | {"label": 1},
        TOLD | {"label": 1, "subject": "算术"},
    ]


def test_parquet_of_the_hub_is_read(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([GOOD | {"subject": "sums"}]), tmp_path / "raw.parquet")
    with opened("test.parquet", tmp_path / "raw.parquet") as file:
        assert fields(list(read_paper(file, paper_of("test.parquet")))) == [TOLD | {"label": 1}]
