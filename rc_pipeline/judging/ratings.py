"""Sheets that people filled in, read back: everything wrong with them is said at once, with its line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rc_pipeline.corpora.readers import MAX_RECORD_CHARACTERS
from rc_pipeline.judging.agreement import Label
from rc_pipeline.judging.replies import GRADES
from rc_pipeline.judging.sheets import BETTER, COMMENT, GRADE, Sheet

NAMED = 20
VERDICTS = {"a": "A", "b": "B", "tie": "tie", "平": "tie", "平局": "tie"}
_ID = re.compile(r"(s[0-9a-f]{10})-[0-9]{4,}")


@dataclass
class Ratings:
    """What each rater said of each line of one sheet, and the lines that are left blank."""

    sheet: Sheet
    labels: dict[str, dict[str, Label]] = field(default_factory=dict)
    comments: dict[str, dict[str, str]] = field(default_factory=dict)
    blank: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Line:
    number: int
    cells: dict[str, str]


def read_ratings(paths: Sequence[Path], key_of: Callable[[str], Sheet]) -> Ratings:
    """Read the files of one sheet, each a rater's, named after its file; raises ValueError that names every fault."""
    raters = [path.stem for path in paths]
    if len(set(raters)) < len(raters):
        raise ValueError(f"{', '.join(map(str, paths))}: a file is named after its rater; give them different names")
    read = {path: list(_lines(path)) for path in paths}
    names = sorted(
        {found[1] for lines in read.values() for line in lines if (found := _ID.fullmatch(line.cells["id"]))}
    )
    if len(names) != 1:
        what = f"rows of several sheets ({', '.join(names)}); read one at a time" if names else "no row of any sheet"
        raise ValueError(f"{', '.join(map(str, paths))}: {what}")
    ratings, faults = Ratings(key_of(names[0])), list[str]()
    for path, lines in read.items():
        faults += _take(ratings, path, lines)
    if faults:
        more = f"\n… and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
        raise ValueError("\n".join(faults[:NAMED]) + more)
    return ratings


def _take(ratings: Ratings, path: Path, lines: list[_Line]) -> Iterator[str]:
    """Add one rater's labels and yield what is wrong with them."""
    sheet, rater = ratings.sheet, path.stem
    labels = ratings.labels.setdefault(rater, {})
    comments, seen = ratings.comments.setdefault(rater, {}), dict[str, int]()
    if lines and sheet.column not in lines[0].cells:
        yield f"{path}, line 1: there is no column {sheet.column}; this sheet has one"
        return
    for line in lines:
        where, name = f"{path}, line {line.number}", line.cells["id"]
        if name not in sheet.lines:
            yield f"{where}: id = {name[:40]!a} is not on sheet {sheet.name}; put back the one that stood there"
            continue
        if name in seen:
            yield f"{where}: id = {name} stands on line {seen[name]} as well; keep one of them"
            continue
        seen[name] = line.number
        said = line.cells[sheet.column].strip()
        label = _label(said, sheet)
        if label is not None:
            labels[name] = label
        elif said:
            wanted = "A, B or tie" if sheet.column == BETTER else "a whole number from 1 to 5"
            yield f"{where}: {sheet.column} = {said[:40]!r}; write {wanted}, or leave it blank"
        comments[name] = line.cells.get(COMMENT, "").strip()
    ratings.blank[rater] = [name for name in sheet.lines if name not in labels]


def _label(said: str, sheet: Sheet) -> Label | None:
    if sheet.column == GRADE:
        return int(said) if said in map(str, GRADES) else None
    return VERDICTS.get(said.lower())


def _lines(path: Path) -> Iterator[_Line]:
    """Yield the rows of a sheet with the line each begins on, whatever a spreadsheet parts its cells with."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}); save it as CSV UTF-8") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    csv.field_size_limit(MAX_RECORD_CHARACTERS)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if "id" not in header or not {BETTER, GRADE} & set(header):
            raise ValueError(f"{path}, line 1: the header has no id, or neither {BETTER} nor {GRADE}; put it back")
        start = reader.line_num + 1
        for row in reader:
            if any(cell.strip() for cell in row):
                cells = dict.fromkeys(header, "") | dict(zip(header, row, strict=False))
                yield _Line(start, cells | {"id": cells["id"].strip()})
            start = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: broken CSV ({error}); save it as CSV again") from error
