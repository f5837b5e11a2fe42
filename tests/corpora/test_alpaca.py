from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rc_pipeline.corpora.alpaca import read_rows
from rc_pipeline.corpora.inventory import opened
from rc_pipeline.corpora.readers import BadRow, CorpusError, Row

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "alpaca"
GOOD: dict[str, Any] = {"instruction": "Say hi.", "input": "", "output": "Hi."}


def read_file(path: Path, name: str) -> list[Row | BadRow]:
    with opened(name, path) as file:
        return list(read_rows(file))


def read(folder: Path, text: str | bytes) -> list[Row | BadRow]:
    path = folder / "raw.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_file(path, "raw.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"<html>", "HTML"),
        ("question,answer\n", "line 1: the header lacks instruction, output"),
        (json.dumps([GOOD, GOOD])[:-30], "ends in the middle"),
        (json.dumps([GOOD]) + "]", "more after the end"),
        (json.dumps(GOOD) + "\n" + json.dumps(GOOD)[:-5], "line 2: the file ends in the middle"),
    ],
)
def test_a_file_that_is_no_whole_list_is_an_error(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        read(tmp_path, text)


@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize(
    ("element", "reason", "field"),
    [
        ("text", "not_an_object", "the row"),
        ({"instruction": "Say hi."}, "missing_field", "output"),
        (GOOD | {"output": 7}, "not_text", "output"),
        (GOOD | {"system": ["x"]}, "not_text", "system"),
        (GOOD | {"history": [["only a question"]]}, "not_text", "history"),
        (GOOD | {"history": "text"}, "not_text", "history"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_field(
    tmp_path: Path, element: Any, reason: str, field: str, lines: bool
) -> None:
    elements = [json.dumps(one) for one in (GOOD, element, GOOD)]
    text = "\n".join(elements) + "\n" if lines else "[" + ",\n".join(elements) + "]"
    first, bad, last = read(tmp_path, text)
    assert isinstance(bad, BadRow)
    assert (bad.reason, bad.field, bad.line) == (reason, field, 2)
    assert isinstance(first, Row)
    assert isinstance(last, Row)


def test_broken_lines_are_set_aside_and_reading_goes_on(tmp_path: Path) -> None:
    line = json.dumps(GOOD).encode()
    found = read(tmp_path, line + b'\n{"instruction": \n{"a": "\xff"}\n\n' + line)
    assert [(one.reason if isinstance(one, BadRow) else "good", one.line) for one in found] == [
        ("good", 1),
        ("bad_json", 2),
        ("bad_utf8", 3),
        ("good", 5),
    ]


def test_system_and_history_are_kept_and_may_be_absent(tmp_path: Path) -> None:
    full = GOOD | {"input": None, "system": "Be kind.", "history": [["q", "a"]], "more": 1}
    rows = read(tmp_path, json.dumps([GOOD, full]))
    assert [row.fields for row in rows if isinstance(row, Row)] == [
        GOOD | {"system": None, "history": []},
        GOOD | {"system": "Be kind.", "history": [["q", "a"]]},
    ]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real samples are not here")
@pytest.mark.parametrize(("name", "rows"), [("alpaca_en_200", 200), ("alpaca_zh_200", 200), ("identity_40", 40)])
def test_the_real_samples_are_all_good(name: str, rows: int) -> None:
    found = read_file(SHARED / f"{name}.json", name)
    assert (len(found), all(isinstance(row, Row) for row in found)) == (rows, True)
