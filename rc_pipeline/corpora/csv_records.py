"""CSV and TSV with a header, read so that one damaged row costs that row and no other."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rc_pipeline.corpora.readers import (
    MAX_RECORD_CHARACTERS,
    BadRow,
    CorpusError,
    Line,
    Lines,
    Row,
    bad_utf8,
    shortened,
)

# The module's own limit of 131,072 characters is shorter than many a document.
csv.field_size_limit(MAX_RECORD_CHARACTERS)
CheckHeader = Callable[[list[str], str], None]


@dataclass(frozen=True)
class _Layout:
    lines: Lines
    name: str
    delimiter: str

    def reader(self) -> Iterator[list[str]]:
        # Tab-separated text is not quoted as a rule: a lone quote there is a quote.
        quoting = csv.QUOTE_NONE if self.delimiter == "\t" else csv.QUOTE_MINIMAL
        return csv.reader(self.lines, strict=True, delimiter=self.delimiter, quoting=quoting)  # type: ignore[arg-type]


def csv_records(
    lines: Lines, name: str, check_header: CheckHeader, *, delimiter: str = ",", header: list[str] | None = None
) -> Iterator[Row | BadRow]:
    """Yield the rows of a file as {column: text}; `header` is for files that have none of their own."""
    layout = _Layout(lines, name, delimiter)
    if header is None:
        try:
            header = next(layout.reader(), [])
        except csv.Error as error:
            raise CorpusError(f"{lines.name}, line 1: the header is not valid CSV ({error}). Restore it.") from error
        lines.take_record()
        if not header:
            return
        check_header(header, lines.name)
    while True:
        reader = layout.reader()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _broken(lines.take_record(), lines, name, str(error))
            continue
        record = lines.take_record()
        if fields:
            yield _row(header, fields, record, lines, name)


def require_columns(header: list[str], wanted: tuple[str, ...], path: str) -> None:
    """Raise if a header lacks a column or names one twice."""
    missing = [column for column in wanted if column not in header]
    if missing or len(set(header)) < len(header):
        fault = f"lacks {', '.join(missing)}" if missing else "names a column twice"
        raise CorpusError(
            f"{path}, line 1: the header {fault}; it is {shortened(','.join(header))!r}. The first line must name "
            f"the columns {','.join(wanted)}."
        )


def _broken(record: list[Line], lines: Lines, name: str, fault: str) -> BadRow:
    """Set one line aside and read on after it: an open quote would otherwise swallow the rows that follow."""
    if not record[-1].ended and len(record) == 1:
        raise cut_off(lines.name, record[0])
    lines.give_back(record[1:])
    first = record[0]
    reason = "stray_carriage_return" if fault.startswith("new-line character") else "broken_quotes"
    shown = first.text if reason == "stray_carriage_return" else fault
    return bad_utf8(record[:1], name) or BadRow(reason, name, first.number, "the row", shown, first.text)


def cut_off(path: str, line: Line) -> CorpusError:
    """Return the error for a file whose last row is not whole."""
    return CorpusError(
        f"{path}, line {line.number}: the file ends in the middle of a row ({line.text[:60]!r}). It is cut off: "
        "download or copy it again, or complete the last row."
    )


def _row(header: list[str], fields: list[str], record: list[Line], lines: Lines, name: str) -> Row | BadRow:
    line = record[0].number
    if len(fields) != len(header):
        if not record[-1].ended and len(fields) < len(header):
            raise cut_off(lines.name, record[0])
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
