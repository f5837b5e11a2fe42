"""MMLU: four-way questions by subject, as CSV with or without a header, or as records with a list of choices.

CMMLU and C-Eval, which name their columns, are laid out the same way.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from rc_pipeline.corpora.csv_records import csv_records
from rc_pipeline.corpora.inventory import RawFile, without_suffix
from rc_pipeline.corpora.readers import (
    BadRow,
    CorpusError,
    Lines,
    Row,
    buffered,
    first_text_fault,
    refuse_what_is_not_text,
)
from rc_pipeline.corpora.records import BYTE_ORDER_MARK, START_BYTES, read_records

CSV_COLUMNS = ["question", "a", "b", "c", "d", "answer"]
ANSWERS = ("answer0", "answer1", "answer2", "answer3")
LETTERS = "ABCD"
# The validation rows choose between models; the five dev rows of each subject are the examples of a prompt.
SPLITS = dict.fromkeys(("val", "valid", "validation"), "valid") | {
    "dev": "dev", "test": "test", "train": "train", "auxiliary_train": "train",
}  # fmt: skip
_NAMES = "|".join(sorted(SPLITS, key=len, reverse=True))
_LAST, _FIRST = re.compile(rf"(?:^|[_-])({_NAMES})$"), re.compile(rf"^({_NAMES})(?:[_-]|$)")
_DATA = re.compile(r"\.(csv|tsv|json|jsonl|ndjson|parquet)(\.gz)?$")
_CSV = re.compile(r"\.[ct]sv(\.gz)?$")


@dataclass(frozen=True)
class Paper:
    """The split and the subject that a file is about; no subject where its rows name their own."""

    split: str
    subject: str


def is_paper(name: str) -> bool:
    """Tell a file of questions from what lies beside it, such as README.txt."""
    return "/" not in name or _DATA.search(name) is not None


def paper_of(name: str) -> Paper:
    """Return the split, from the folder (dev, val, test, auxiliary_train) or the file's name, and the subject."""
    path = PurePosixPath(name)
    stem = without_suffix(path.name)
    marks = [mark for mark in (_LAST.search(stem), _FIRST.match(stem)) if mark]
    named = [folder for folder in reversed(path.parts[:-1]) if folder in SPLITS] + [mark[1] for mark in marks]
    if not named:
        raise CorpusError(
            f"raw file {name!r} names no split. Put it into a folder dev, val, test or auxiliary_train, or call it "
            "<subject>_dev.csv, <subject>_val.csv or <subject>_test.csv."
        )
    # auxiliary_train holds a file mc_test.csv: there the ending belongs to the name.
    split = SPLITS[named[0]]
    for mark in marks:
        if SPLITS[mark[1]] == split:
            stem = (stem[: mark.start()] + stem[mark.end() :]).strip("-_")
            break
    return Paper(split, stem)


def read_paper(file: RawFile, paper: Paper) -> Iterator[Row | BadRow]:
    """Yield the questions of a file with subject, question, answer0 to answer3 and label."""
    data = buffered(file.data)
    start = data.peek(START_BYTES)[:START_BYTES]
    # The first question of a file without a header may begin with a bracket.
    if not _CSV.search(file.name) and start.removeprefix(BYTE_ORDER_MARK).lstrip().startswith((b"[", b"{", b"PAR1")):
        rows = read_records(replace(file, data=data))
    else:
        refuse_what_is_not_text(start, str(file))
        rows = _csv(Lines(data, str(file)), file.name)
    for row in rows:
        yield row if isinstance(row, BadRow) else _checked(row, paper, str(file))


def _csv(lines: Lines, name: str) -> Iterator[Row | BadRow]:
    delimiter = "\t" if name.removesuffix(".gz").endswith(".tsv") else ","
    try:
        first = [column.lower() for column in next(csv.reader(lines, delimiter=delimiter), [])]
    except csv.Error:
        first = []
    record = lines.take_record()
    own = set(CSV_COLUMNS[:-1]) <= set(first)
    if not own:
        lines.give_back(record)
    header = first if own else CSV_COLUMNS
    yield from csv_records(lines, name, lambda _header, _path: None, delimiter=delimiter, header=header)


def _checked(row: Row, paper: Paper, file: str) -> Row | BadRow:
    fields = {name.lower(): value for name, value in row.fields.items()}
    choices = fields.get("choices", [fields[letter] for letter in "abcd" if letter in fields])
    if not isinstance(choices, list) or len(choices) != len(ANSWERS):
        return BadRow("not_four_choices", row.file, row.line, "choices", str(choices), row.fields)
    subject = fields.get("subject") or paper.subject
    if not subject:
        raise CorpusError(f"{file}: neither the file's name nor its rows name a subject. Call it <subject>_dev.csv.")
    told = {"subject": subject, "question": fields.get("question"), **dict(zip(ANSWERS, choices, strict=True))}
    present = {name: text for name, text in told.items() if text is not None}
    bad = first_text_fault(present, tuple(told), row.file, row.line)
    if bad:
        return bad
    # The publishers of some test files keep the answers to themselves.
    if paper.split == "test" and fields.get("answer") in (None, ""):
        return Row({**told, "label": None}, row.file, row.line)
    label = _label(fields.get("answer"))
    if label is None:
        return BadRow("answer_not_a_to_d", row.file, row.line, "answer", str(fields.get("answer")), row.fields)
    return Row({**told, "label": label}, row.file, row.line)


def _label(answer: Any) -> int | None:
    """Return the index of the right answer: a letter in CSV, a number from 0 on in records."""
    if isinstance(answer, str) and len(answer) == 1 and answer in LETTERS:
        return LETTERS.index(answer)
    return answer if type(answer) is int and 0 <= answer < len(LETTERS) else None
