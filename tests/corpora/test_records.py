from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rc_pipeline.corpora.inventory import RawFile, opened
from rc_pipeline.corpora.readers import BadRow, CorpusError, Row
from rc_pipeline.corpora.records import read_records

ROWS = [{"问题": "谁写的？", "answer": '他, "她"\n和我'}, {"问题": "在哪里？", "answer": "北京"}]


def read(path: Path, name: str = "") -> list[Row | BadRow]:
    with opened(name or path.name, path) as file:
        return list(read_records(file))


def written(folder: Path, kind: str) -> Path:
    path = folder / f"train.{kind}"
    match kind:
        case "json":
            path.write_text(json.dumps(ROWS, ensure_ascii=False, indent=1), encoding="utf-8")
        case "jsonl":
            path.write_text("\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")
        case "csv":
            pl.DataFrame(ROWS).write_csv(path)
        case "parquet":
            pl.DataFrame(ROWS).write_parquet(path)
    return path


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "parquet"])
def test_records_are_the_same_whatever_they_are_written_as(tmp_path: Path, kind: str) -> None:
    rows = read(written(tmp_path, kind))
    assert [row.fields for row in rows if isinstance(row, Row)] == ROWS


@pytest.mark.parametrize("name", ["train.tsv", "train"])
def test_tab_separated_text_keeps_its_quotes(tmp_path: Path, name: str) -> None:
    path = tmp_path / "train.tsv"
    path.write_text('a\tb\n"x\ty"z\n', encoding="utf-8")
    assert [row.fields for row in read(path, name) if isinstance(row, Row)] == [{"a": '"x', "b": 'y"z'}]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<!doctype html><p>Sign in", "an HTML or XML page"),
        (b"PK\x03\x04rest", "a zip archive or a spreadsheet"),
        ("a,b\n".encode("utf-16"), "UTF-16 text; save it as UTF-8"),
        ("a,b\n".encode("utf-16-le"), "UTF-16 text; save it as UTF-8"),
        ('{"a": 1}\n'.encode("utf-16-be"), "UTF-16 text; save it as UTF-8"),
        (b'[{"a": 1}, {"a"', "the JSON ends in the middle"),
        (b'{"a": 1}\n{"a": ', "line 2: the file ends in the middle of a row"),
        (b'{\n  "a": 1\n}\n', "a JSON object over several lines"),
        (b'a,b\n1,"2', "the file ends in the middle of a row"),
        (b"PAR1 and no more", "the Parquet file is damaged"),
    ],
)
def test_a_file_that_is_no_list_of_records_is_an_error_with_a_remedy(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "train.json"
    path.write_bytes(data)
    with pytest.raises(CorpusError, match=said):
        read(path)


def test_one_bad_record_costs_that_record_only(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": }\n5\n{"a": "\xff"}\n{"a": 2}\n')
    rows = read(path)
    assert [(row.reason, row.line) for row in rows if isinstance(row, BadRow)] == [
        ("bad_json", 2),
        ("not_an_object", 3),
        ("bad_utf8", 4),
    ]
    assert [row.fields for row in rows if isinstance(row, Row)] == [{"a": 1}, {"a": 2}]


def test_parquet_inside_an_archive_is_told_to_be_unpacked(tmp_path: Path) -> None:
    path = written(tmp_path, "parquet")
    with path.open("rb") as data, pytest.raises(CorpusError, match="Unpack it and name the folder"):
        list(read_records(RawFile("train.parquet", tmp_path / "a.tar", data, packed=True)))


@pytest.mark.parametrize("columns", [["a", "b"], ["a", "a"]])
def test_parquet_that_cannot_be_taken_at_its_word_is_an_error(tmp_path: Path, columns: list[str]) -> None:
    path = tmp_path / "train.parquet"
    spoilt = pa.Array.from_buffers(pa.string(), 1, [None, *pa.array([b"\xff"]).buffers()[1:]])
    pq.write_table(pa.Table.from_arrays([pa.array(["x"]), spoilt], names=columns), path)
    said = "two columns are called a" if columns[0] == columns[1] else "row 1 or after it: the Parquet file is damaged"
    with pytest.raises(CorpusError, match=said):
        read(path)


@pytest.mark.parametrize("checked", [True, False])
def test_parquet_with_a_broken_page_is_an_error(tmp_path: Path, checked: bool) -> None:
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"a": [f"row {n}" for n in range(1000)]}), path, write_page_checksum=checked)
    data = bytearray(path.read_bytes())
    data[200:204] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    with pytest.raises(CorpusError, match="the Parquet file is damaged"):
        read(path)


def test_a_date_beyond_the_calendar_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"a": pa.array([1 << 60], pa.timestamp("us"))}), path)
    with pytest.raises(CorpusError, match="holds what is no text, number or date"):
        read(path)
