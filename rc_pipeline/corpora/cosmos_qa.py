"""Cosmos QA: multiple choice over short everyday stories, as CSV (train, valid) and JSON lines (test)."""

from __future__ import annotations

from collections.abc import Iterator

from rc_pipeline.corpora.csv_records import require_columns
from rc_pipeline.corpora.inventory import RawFile
from rc_pipeline.corpora.readers import BadRow, Row, first_text_fault
from rc_pipeline.corpora.records import read_records

TEXT_FIELDS = ("id", "context", "question", "answer0", "answer1", "answer2", "answer3")
LABEL = "label"


def read_split(file: RawFile, split: str) -> Iterator[Row | BadRow]:
    """Yield the rows of a split's file; the label stays the text that the file has, None in an unlabelled test."""
    wanted = TEXT_FIELDS if split == "test" else (*TEXT_FIELDS, LABEL)
    for row in read_records(file, lambda header, path: require_columns(header, wanted, path)):
        yield row if isinstance(row, BadRow) else _checked(row, split)


def _checked(row: Row, split: str) -> Row | BadRow:
    fields = dict(row.fields)
    if fields.get(LABEL) is not None:
        fields[LABEL] = str(fields[LABEL])
    unlabelled = split == "test" and not fields.get(LABEL)
    wanted = TEXT_FIELDS if unlabelled else (*TEXT_FIELDS, LABEL)
    bad = first_text_fault(fields, wanted, row.file, row.line)
    texts = {name: fields.get(name) for name in TEXT_FIELDS}
    return bad or Row({**texts, LABEL: None if unlabelled else fields[LABEL]}, row.file, row.line)
