"""A user's own records: the columns that the catalog names, under the names that templates use."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any

from rc_pipeline.corpora.inventory import RawFile
from rc_pipeline.corpora.readers import BadRow, CorpusError, Row, shortened, text_fault
from rc_pipeline.corpora.records import read_records

ID, ANSWER, LABEL, PASSAGE = "id", "answer", "label", "passage"
# Every accepted answer; a template shows `answer`, the first of them.
ANSWERS = "answers"
# What a test split may leave open.
OPEN_IN_A_TEST = frozenset({ANSWER, LABEL})
# Halves of characters that JSON's escapes can say; the others stand for bytes that are not UTF-8.
_NOT_A_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


class _Fault(ValueError):
    """Why a value cannot be kept: the reason, and the value as people are shown it."""

    def __init__(self, reason: str, value: object) -> None:
        super().__init__(reason)
        self.reason, self.value = reason, value


def read_mapped(file: RawFile, split: str, columns: Mapping[str, str], seen: set[str]) -> Iterator[Row | BadRow]:
    """Yield the rows of a file with the columns {name: column of the file}; `seen` holds the ids of the split."""
    required = {column for name, column in columns.items() if not _may_be_open(name, split)}
    unmet, met = set(required), list[str]()

    def check_header(header: list[str], _: str) -> None:
        twice = sorted({column for column in columns.values() if header.count(column) > 1})
        if twice:
            raise _unusable(file, "two columns are called", twice, header)
        if not required.issubset(header):
            raise _unusable(file, "there is no column", sorted(required.difference(header)), header)

    for row in read_records(file, check_header):
        if isinstance(row, BadRow):
            yield row
            continue
        if unmet:
            unmet.difference_update(row.fields)
            met = met or list(row.fields)
        yield _mapped(row, split, columns, seen)
    if unmet and met:
        raise _unusable(file, "there is no column", sorted(unmet), met)


def _may_be_open(name: str, split: str) -> bool:
    return split == "test" and name in OPEN_IN_A_TEST


def _unusable(file: RawFile, fault: str, columns: Sequence[str], found: Sequence[str]) -> CorpusError:
    has = ", ".join(found)
    if text_fault(has):
        # What Excel writes in China unless it is told otherwise.
        raw = _NOT_A_BYTE.sub("?", has).encode(errors="surrogateescape")
        read = shortened(raw.decode("gb18030", errors="replace"))
        return CorpusError(
            f"{file}: the names of the columns are not UTF-8; as GB18030 they read {read}. Save the file as UTF-8."
        )
    return CorpusError(
        f"{file}: {fault} {', '.join(columns)}; the file has {shortened(has) or 'none'}. Correct columns in the "
        "dataset's file of the catalog, or the file."
    )


def _mapped(row: Row, split: str, columns: Mapping[str, str], seen: set[str]) -> Row | BadRow:
    fields: dict[str, Any] = {}
    for name, column in columns.items():
        value = row.fields.get(column)
        try:
            texts = _answers(value) if name == ANSWER else [_text(value)]
        except _Fault as fault:
            return BadRow(fault.reason, row.file, row.line, column, str(fault.value), row.fields)
        first = texts[0] if texts else None
        # CSV has no other way to leave a value open.
        if _may_be_open(name, split) and not (first or "").strip():
            first, texts = None, []
        elif first is None:
            return BadRow("missing_field", row.file, row.line, column, "", row.fields)
        fields[name] = first
        if name == ANSWER:
            fields[ANSWERS] = list(dict.fromkeys(texts))
    key = fields.get(ID, "")
    if key in seen:
        return BadRow("duplicate_id", row.file, row.line, columns[ID], key, row.fields)
    if key:
        seen.add(key)
    return Row(fields, row.file, row.line, key)


def _answers(value: object) -> list[str | None]:
    """Return every accepted answer of a list, of text that is a JSON list of texts, or of one value."""
    if isinstance(value, str) and value.lstrip().startswith('["'):
        try:
            listed = json.loads(value)
        except ValueError:
            return [_text(value)]
        return _answers(listed) if all(isinstance(one, str) for one in listed) else [_text(value)]
    if not isinstance(value, list):
        return [_text(value)]
    texts = [_text(one) for one in value]
    if any(text is None or not text.strip() for text in texts):
        raise _Fault("empty_answer", json.dumps(value, ensure_ascii=False, default=str))
    return texts


# Booleans are whole numbers to Python, so they come first.
_WRITTEN: tuple[tuple[type | tuple[type, ...], Callable[[Any], str]], ...] = (
    (bool, lambda value: "true" if value else "false"),
    ((int, Decimal), str),
    (float, repr),
    ((date, time), lambda value: str(value.isoformat())),
)


def _text(value: object) -> str | None:
    """Return a value as text, None for null."""
    if isinstance(value, str):
        reason = text_fault(value)
        if reason:
            raise _Fault(reason, value)
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    for kind, written in _WRITTEN:
        # JSON has numbers that are too large for a machine's, such as 1e999.
        if isinstance(value, kind) and value not in (math.inf, -math.inf):
            return written(value)
    raise _Fault("not_text", json.dumps(value, ensure_ascii=False, default=str))
