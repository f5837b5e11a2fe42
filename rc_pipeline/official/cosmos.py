"""Cosmos QA's evaluation: a labelled file, and predictions as the leaderboard takes them, by line or by id."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rc_pipeline.corpora.cosmos_qa import LABEL, read_split
from rc_pipeline.corpora.inventory import raw_file_list
from rc_pipeline.corpora.readers import BadRow
from rc_pipeline.scoring.intervals import bounds, resampled_sums
from rc_pipeline.scoring.measures import Mean

HEADER = "id,label"
LABELS = ("0", "1", "2", "3")
LONGEST_SHOWN = 80


@dataclass(frozen=True)
class Question:
    """A labelled question; ids repeat, so `place` tells those of one id apart."""

    id: str
    place: int
    context: str
    label: str


def read_questions(path: Path) -> list[Question]:
    """Read the rows of a labelled file in its own layout, CSV or JSON lines."""
    found: list[Question] = []
    times: Counter[str] = Counter()
    # The file is of the publisher's layout whatever it is called, and has its labels.
    for file in raw_file_list({f"valid{path.suffix}": path}):
        for row in read_split(file, "valid"):
            if isinstance(row, BadRow):
                unlabelled = "; the test file has no labels: `rc-pipeline submission` writes what is submitted"
                more = unlabelled if row.field == LABEL else ""
                raise ValueError(f"{path}, line {row.line}: {row.reason}: {row.field} = {row.value!r}{more}")
            name, label = row.fields["id"], row.fields[LABEL]
            if label not in LABELS:
                raise ValueError(f"{path}, line {row.line}: label = {label!r}; it is 0, 1, 2 or 3")
            found.append(Question(name, times[name], row.fields["context"], label))
            times[name] += 1
    if not found:
        raise ValueError(f"{path}: there is no question in the file")
    return found


@dataclass(frozen=True)
class Predictions:
    """The label of each question, None where there is none, and what is wrong with the file."""

    labels: list[str | None]
    problems: dict[str, list[str]]


def read_predictions(path: Path, questions: Sequence[Question]) -> Predictions:
    """Read a label a line in the order of the questions, or a CSV with the header id,label."""
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from error
    by_id = bool(lines) and "," in lines[0]
    found = _by_id(path, lines, questions) if by_id else _by_line(lines, questions)
    wrong = [
        f"{question.id}: {label[:LONGEST_SHOWN]!a}"
        for question, label in zip(questions, found.labels, strict=True)
        if label is not None and label not in LABELS
    ]
    return Predictions(found.labels, found.problems | {"no_label": wrong})


def _by_line(lines: list[str], questions: Sequence[Question]) -> Predictions:
    labels: list[str | None] = [line.strip() for line in lines[: len(questions)]]
    missing = questions[len(labels) :]
    extra = [f"line {number}" for number in range(len(questions) + 1, len(lines) + 1)]
    labels += [None] * len(missing)
    return Predictions(labels, {"missing": [one.id for one in missing], "extra": extra, "duplicated": []})


def _by_id(path: Path, lines: list[str], questions: Sequence[Question]) -> Predictions:
    rows = list(_rows(path, lines))
    # A repeated id of the questions is answered as often; the first row that names it is for the first of them.
    times: Counter[str] = Counter()
    said: dict[tuple[str, int], str] = {}
    for name, label in rows:
        said[name, times[name]] = label
        times[name] += 1
    asked = Counter(question.id for question in questions)
    labels = [said.get((question.id, question.place)) for question in questions]
    problems = {
        "missing": [question.id for question, label in zip(questions, labels, strict=True) if label is None],
        "extra": [name for name in times if name not in asked],
        "duplicated": [name for name, count in times.items() if name in asked and count > asked[name]],
    }
    return Predictions(labels, problems)


def _rows(path: Path, lines: list[str]) -> Iterator[tuple[str, str]]:
    header = lines[0].strip().lower().replace(" ", "")
    if header != HEADER:
        shown = ascii(lines[0][:LONGEST_SHOWN])
        raise ValueError(f"{path}, line 1: the header is {shown}; a CSV of predictions has {HEADER}")
    reader = csv.reader(lines[1:])
    for row in reader:
        if len(row) == 2:
            yield row[0].strip(), row[1].strip()
        elif row:
            line = reader.line_num + 1
            raise ValueError(f"{path}, line {line}: {len(row)} fields; each line has an id and a label")


def evaluate(questions: Sequence[Question], predictions: Predictions, *, seed: int = 0) -> dict[str, Any]:
    """Return accuracy in percent with its 95 % interval; a question without a label is wrong."""
    import polars as pl

    right = [question.label == label for question, label in zip(questions, predictions.labels, strict=True)]
    verdicts, mean = pl.DataFrame({"accuracy": pl.Series(right).cast(pl.Float64)}), Mean("accuracy")
    sums = resampled_sums(mean.parts(verdicts), [question.context for question in questions], seed=seed)
    return {
        "accuracy": mean.value(verdicts),
        "correct": sum(right),
        "denominator": len(right),
        "intervals": {"accuracy": list(bounds(mean.values(sums)))},
        **predictions.problems,
    }
