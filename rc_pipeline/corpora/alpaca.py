"""Alpaca: instructions with inputs and outputs, some with a system text and the turns before."""

from __future__ import annotations

from collections.abc import Iterator

from rc_pipeline.corpora.csv_records import require_columns
from rc_pipeline.corpora.inventory import RawFile
from rc_pipeline.corpora.readers import BadRow, Row, first_text_fault, text_fault
from rc_pipeline.corpora.records import read_records


def read_rows(file: RawFile) -> Iterator[Row | BadRow]:
    """Yield the rows of a file with instruction, input, output, system and history."""
    for row in read_records(file, lambda header, path: require_columns(header, ("instruction", "output"), path)):
        yield row if isinstance(row, BadRow) else _checked(row)


def _checked(row: Row) -> Row | BadRow:
    fields = {**row.fields, "input": "" if row.fields.get("input") is None else row.fields["input"]}
    bad = first_text_fault(fields, ("instruction", "input", "output"), row.file, row.line)
    if bad:
        return bad
    system, history = fields.get("system") or None, fields.get("history") or []
    if system is not None and (fault := text_fault(system)):
        return BadRow(fault, row.file, row.line, "system", str(system), row.fields)
    if not _is_history(history):
        return BadRow("not_text", row.file, row.line, "history", str(history), row.fields)
    kept = {key: fields[key] for key in ("instruction", "input", "output")}
    return Row({**kept, "system": system, "history": history}, row.file, row.line)


def _is_history(history: object) -> bool:
    return isinstance(history, list) and all(
        isinstance(turn, list) and len(turn) == 2 and all(text_fault(text) is None for text in turn) for turn in history
    )
