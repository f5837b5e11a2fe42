from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_pipeline.corpora.cosmos_qa import LABEL, TEXT_FIELDS, read_split
from rc_pipeline.corpora.inventory import opened
from rc_pipeline.corpora.readers import BadRow, CorpusError, Row
from tests.pace import within

HEADER = [*TEXT_FIELDS, LABEL]
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "cosmos_qa"


def row(number: int, **changes: str) -> list[str]:
    fields = {name: f"{name} of {number} , so" for name in TEXT_FIELDS} | {LABEL: str(number % 4)}
    return list((fields | changes).values())


def csv_bytes(rows: Iterable[list[str]], header: list[str] = HEADER) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([header, *rows])
    return text.getvalue().encode()


def read_file(path: Path, name: str, split: str) -> list[Row | BadRow]:
    with opened(name, path) as file:
        return list(read_split(file, split))


def read(folder: Path, data: bytes, split: str = "train") -> tuple[list[Row], list[BadRow]]:
    path = folder / "raw"
    path.write_bytes(data)
    found = read_file(path, f"{split}.csv", split)
    return [one for one in found if isinstance(one, Row)], [one for one in found if isinstance(one, BadRow)]


def lines_of(rows: list[Row]) -> list[int]:
    return [row.line for row in rows]


def test_a_short_and_a_long_row_are_set_aside_with_their_lines(tmp_path: Path) -> None:
    good, bad = read(tmp_path, csv_bytes([row(1), row(2)[:5], row(3), [*row(4), "more"], row(5)]))
    assert lines_of(good) == [2, 4, 6]
    assert [(one.reason, one.line) for one in bad] == [("short_row", 3), ("long_row", 5)]
    assert bad[0].describe().startswith("train.csv, line 3: the row is '5 fields in place of 8' (short_row). Restore")


def test_an_open_quote_costs_its_own_line_and_not_the_rows_after_it(tmp_path: Path) -> None:
    data = csv_bytes([row(number) for number in range(1, 9)]).replace(b'"context of 3 , so"', b'"context of 3 , so')
    good, bad = read(tmp_path, data)
    assert lines_of(good) == [2, 3, 5, 6, 7, 8, 9]
    assert [(one.reason, one.line) for one in bad] == [("broken_quotes", 4)]
    assert [one.fields for one in good[2:]] == [dict(zip(HEADER, row(n), strict=True)) for n in range(4, 9)]


def test_a_row_over_several_lines_keeps_the_number_of_its_first(tmp_path: Path) -> None:
    good, bad = read(tmp_path, csv_bytes([row(1, context="one\ntwo\r\nthree\rfour"), row(2)]))
    assert not bad
    assert lines_of(good) == [2, 5]
    assert good[0].fields["context"] == "one\ntwo\r\nthree\rfour"


def test_bad_utf8_costs_its_row_and_is_named_by_byte_and_line(tmp_path: Path) -> None:
    data = csv_bytes([row(1), row(2, question="caf\u00e9"), row(3)]).replace("caf\u00e9".encode(), b"caf\xe9")
    good, bad = read(tmp_path, data)
    assert lines_of(good) == [2, 4]
    offset = data.index(b"\xe9")
    assert bad[0].describe() == (
        f"train.csv, line 3: byte {offset} of the file is '0xe9' (bad_utf8). Save the file as UTF-8."
    )
    assert "caf\\\\xe9" in bad[0].row_json()


def test_bad_utf8_in_the_second_line_of_a_row_is_named_by_that_line(tmp_path: Path) -> None:
    data = csv_bytes([row(1, context="one\ntwo \u00e9"), row(2)]).replace("\u00e9".encode(), b"\xff")
    good, bad = read(tmp_path, data)
    assert (lines_of(good), bad[0].reason, bad[0].line) == ([4], "bad_utf8", 3)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<!DOCTYPE html>\n<html></html>", "HTML"),
        (b"\n  <html></html>", "HTML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "git lfs pull"),
        (b"\x1f\x8b\x08rest", "gzip"),
        (b"PK\x03\x04rest", "zip archive or a spreadsheet"),
        (codecs.BOM_UTF16_LE + "id,context".encode("utf-16-le"), "UTF-16"),
        (csv_bytes([row(1)[:7]], HEADER[:7]), "line 1: the header lacks label"),
        (csv_bytes([], ["idx", *HEADER[1:]]), "the header lacks id; it is 'idx,"),
        (csv_bytes([], [*HEADER, "id"]), "names a column twice"),
        (csv_bytes([row(1)])[:-20], "line 2: the file ends in the middle of a row"),
        (csv_bytes([row(1), row(2)])[:-60], "line 3: the file ends in the middle of a row"),
        (b"id,context\rquestion", "CR alone"),
    ],
)
def test_a_file_that_is_no_whole_table_is_an_error_that_says_what_it_is(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        read(tmp_path, data)


def test_json_lines_that_end_in_the_middle_are_an_error(tmp_path: Path) -> None:
    line = json.dumps(dict(zip(HEADER, row(1), strict=True)))
    with pytest.raises(CorpusError, match="line 2: the file ends in the middle of a row"):
        read(tmp_path, f"{line}\n{line[:50]}".encode(), "test")


@pytest.mark.parametrize(
    ("line", "reason", "field"),
    [
        ('{"id": "1", ', "bad_json", "the row"),
        ("[" * 100_000, "bad_json", "the row"),
        ("[1, 2]", "not_an_object", "the row"),
        ('{"id": "1"}', "missing_field", "context"),
        ('{"id": 17}', "not_text", "id"),
        ('{"id": "\\ud800"}', "bad_utf8", "id"),
    ],
)
def test_a_bad_json_line_is_set_aside_with_its_field(tmp_path: Path, line: str, reason: str, field: str) -> None:
    whole = json.dumps(dict(zip(TEXT_FIELDS, row(1)[:7], strict=True)))
    good, bad = read(tmp_path, f"{whole}\n\n{line}\n{whole}\n".encode(), "test")
    assert lines_of(good) == [1, 4]
    assert [(one.reason, one.field, one.line) for one in bad] == [(reason, field, 3)]
    assert bad[0].row_json().isascii()


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rc_pipeline.corpora.readers.MAX_LINE_BYTES", 1000)
    with pytest.raises(CorpusError, match="line 3: the line is longer than 1000 bytes"):
        read(tmp_path, csv_bytes([row(1)]) + b"x" * 5000)


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", csv_bytes([])])
def test_a_file_without_rows_gives_none(tmp_path: Path, data: bytes) -> None:
    assert read(tmp_path, data) == ([], [])


def test_a_byte_order_mark_and_blank_lines_are_no_part_of_the_data(tmp_path: Path) -> None:
    data = codecs.BOM_UTF8 + csv_bytes([row(1)]) + b"\r\n" + csv_bytes([row(2)]).split(b"\r\n", 1)[1] + b"\n"
    good, bad = read(tmp_path, data)
    assert (lines_of(good), bad) == ([2, 4], [])
    assert list(good[0].fields) == HEADER


def test_columns_may_stand_in_another_order(tmp_path: Path) -> None:
    good, _ = read(tmp_path, csv_bytes([row(1)[::-1]], HEADER[::-1]))
    assert good[0].fields == dict(zip(HEADER, row(1), strict=True))


@given(rows=st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=8, max_size=8), max_size=5))
def test_what_a_csv_writer_wrote_is_read_back_to_the_letter(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    good, bad = read(tmp_path_factory.mktemp("csv"), csv_bytes(rows))
    assert (bad, [list(one.fields.values()) for one in good]) == ([], rows)


def test_25_thousand_rows_are_read_within_two_seconds(tmp_path: Path) -> None:
    data = csv_bytes(row(number, context="word " * 73) for number in range(25_262))
    with within(2):
        good, bad = read(tmp_path, data)
    assert (len(good), bad) == (25_262, [])


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real samples are not here")
def test_the_real_first_thousand_rows_are_all_good() -> None:
    rows = read_file(SHARED / "valid_first_1000.csv", "valid.csv", "valid")
    assert all(isinstance(one, Row) for one in rows)
    assert len(rows) == 1000
    assert len({one.fields["context"] for one in rows if isinstance(one, Row)}) == 821
    test = read_file(SHARED / "test_shape_200.jsonl", "test.jsonl", "test")
    assert (len(test), all(isinstance(one, Row) for one in test)) == (200, True)
