"""Alpaca: instructions with inputs and outputs, as one JSON list or as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rc_pipeline.corpora.json_stream import list_elements
from rc_pipeline.corpora.readers import (
    BadRow,
    CorpusError,
    Lines,
    Row,
    bad_utf8,
    first_bytes,
    first_text_fault,
    refuse_what_is_not_text,
    text_fault,
    unreadable,
)

SPLITS = ("train",)


def read_rows(path: Path, name: str) -> Iterator[Row | BadRow]:
    """Yield the rows of a file with instruction, input, output, system and history."""
    start = first_bytes(path)
    refuse_what_is_not_text(start, str(path))
    first = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first not in (b"[", b"{", b""):
        raise CorpusError(
            f"{path}: the file starts with {start[:20]!r}: a JSON list or JSON lines of objects with instruction, "
            "input and output are expected."
        )
    try:
        with path.open("rb") as file:
            if first == b"[":
                for line, element in list_elements(file, str(path)):
                    yield _row(element, name, line)
            else:
                yield from _json_lines(Lines(file, str(path)), name)
    except OSError as error:
        raise unreadable(path, error) from error


def _json_lines(lines: Lines, name: str) -> Iterator[Row | BadRow]:
    for text in lines:
        record = lines.take_record()
        if not text.strip():
            continue
        bad = bad_utf8(record, name)
        if bad:
            yield bad
            continue
        try:
            element = json.loads(text)
        except (ValueError, RecursionError) as error:
            if not record[0].ended:
                raise CorpusError(
                    f"{lines.name}, line {record[0].number}: the file ends in the middle of a row. Download "
                    "or copy it again. (A JSON object over several lines must stand in a list.)"
                ) from error
            yield BadRow("bad_json", name, record[0].number, "the row", str(error), text)
            continue
        yield _row(element, name, record[0].number)


def _row(element: Any, name: str, line: int) -> Row | BadRow:
    if not isinstance(element, dict):
        return BadRow("not_an_object", name, line, "the row", str(element), element)
    fields = {**element, "input": "" if element.get("input") is None else element["input"]}
    bad = first_text_fault(fields, ("instruction", "input", "output"), name, line)
    if bad:
        return bad
    system, history = fields.get("system"), fields.get("history") or []
    if system is not None and (fault := text_fault(system)):
        return BadRow(fault, name, line, "system", ascii(system), element)
    if not _is_history(history):
        return BadRow("not_text", name, line, "history", ascii(history), element)
    kept = {key: fields[key] for key in ("instruction", "input", "output")}
    return Row({**kept, "system": system, "history": history}, name, line)


def _is_history(history: object) -> bool:
    return isinstance(history, list) and all(
        isinstance(turn, list) and len(turn) == 2 and all(text_fault(text) is None for text in turn) for turn in history
    )
