"""Cosmos QA: multiple choice over short everyday stories, as CSV (train, valid) and JSON lines (test)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from rc_pipeline.corpora.readers import (
    BadRow,
    CorpusError,
    Line,
    Lines,
    Row,
    bad_utf8,
    first_bytes,
    first_text_fault,
    refuse_what_is_not_text,
    unreadable,
)

SPLITS = ("train", "valid", "test")
TEXT_FIELDS = ("id", "context", "question", "answer0", "answer1", "answer2", "answer3")
LABEL = "label"


def read_split(path: Path, name: str, split: str) -> Iterator[Row | BadRow]:
    """Yield the rows of a split's file, whether it is CSV or JSON lines."""
    start = first_bytes(path)
    refuse_what_is_not_text(start, str(path))
    read = _read_jsonl if start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[") else _read_csv
    try:
        with path.open("rb") as file:
            yield from read(Lines(file, str(path)), name, split)
    except OSError as error:
        raise unreadable(path, error) from error


def _read_csv(lines: Lines, name: str, split: str) -> Iterator[Row | BadRow]:
    try:
        header = next(csv.reader(lines, strict=True), [])
    except csv.Error as error:
        raise CorpusError(f"{lines.name}, line 1: the header is not valid CSV ({error}). Restore it.") from error
    lines.take_record()
    if not header:
        return
    _check_header(header, lines.name, split)
    while True:
        reader = csv.reader(lines, strict=True)
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _broken(lines.take_record(), lines, name, str(error))
            continue
        record = lines.take_record()
        if fields:
            yield _csv_row(header, fields, record, lines, name)


def _check_header(header: list[str], path: str, split: str) -> None:
    wanted = TEXT_FIELDS if split == "test" else (*TEXT_FIELDS, LABEL)
    missing = [column for column in wanted if column not in header]
    if missing or len(set(header)) < len(header):
        fault = f"lacks {', '.join(missing)}" if missing else "names a column twice"
        raise CorpusError(
            f"{path}, line 1: the header {fault}; it is {','.join(header)!r}. The first line must name the columns "
            f"{','.join(wanted)}."
        )


def _broken(record: list[Line], lines: Lines, name: str, fault: str) -> BadRow:
    """Set one line aside and read on after it: an open quote would otherwise swallow the rows that follow."""
    if not record[-1].ended and len(record) == 1:
        raise _cut_off(lines.name, record[0])
    lines.give_back(record[1:])
    first = record[0]
    return bad_utf8(record[:1], name) or BadRow("broken_quotes", name, first.number, "the row", fault, first.text)


def _cut_off(path: str, line: Line) -> CorpusError:
    return CorpusError(
        f"{path}, line {line.number}: the file ends in the middle of a row ({line.text[:60]!r}). It is cut off: "
        "download or copy it again, or complete the last row."
    )


def _csv_row(header: list[str], fields: list[str], record: list[Line], lines: Lines, name: str) -> Row | BadRow:
    line = record[0].number
    if len(fields) != len(header):
        if not record[-1].ended and len(fields) < len(header):
            raise _cut_off(lines.name, record[0])
        lines.give_back(record[1:])
        if len(record) > 1:
            return bad_utf8(record[:1], name) or BadRow(
                "broken_quotes", name, line, "the row", f"{len(fields)} fields over {len(record)} lines", record[0].text
            )
        reason = "short_row" if len(fields) < len(header) else "long_row"
        return bad_utf8(record, name) or BadRow(
            reason, name, line, "the row", f"{len(fields)} fields in place of {len(header)}", fields
        )
    return bad_utf8(record, name) or Row(dict(zip(header, fields, strict=True)), name, line)


def _read_jsonl(lines: Lines, name: str, split: str) -> Iterator[Row | BadRow]:
    for text in lines:
        record = lines.take_record()
        if text.strip():
            yield bad_utf8(record, name) or _json_row(record[0], lines.name, name, split)


def _json_row(line: Line, path: str, name: str, split: str) -> Row | BadRow:
    text = line.text.strip()
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        if not line.ended:
            raise _cut_off(path, line) from error
        return BadRow("bad_json", name, line.number, "the row", str(error), text)
    if not isinstance(fields, dict):
        return BadRow("not_an_object", name, line.number, "the row", text, fields)
    if fields.get(LABEL) is not None:
        fields[LABEL] = str(fields[LABEL])
    unlabelled = split == "test" and fields.get(LABEL) is None
    wanted = TEXT_FIELDS if unlabelled else (*TEXT_FIELDS, LABEL)
    return first_text_fault(fields, wanted, name, line.number) or Row(fields, name, line.number)
