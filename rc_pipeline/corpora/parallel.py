"""Parallel text: sentence pairs in records or tab-separated lines, or in two files whose lines go together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

from rc_pipeline.corpora.csv_records import csv_records
from rc_pipeline.corpora.inventory import RawFile, raw_file_list
from rc_pipeline.corpora.languages import Language, language
from rc_pipeline.corpora.readers import (
    BadRow,
    CorpusError,
    Line,
    Lines,
    Row,
    bad_utf8,
    buffered,
    first_text_fault,
    refuse_what_is_not_text,
    shortened,
)
from rc_pipeline.corpora.records import read_records

SIDES = ("source", "target")
# Translations differ in length, short ones by much. Bytes of UTF-8 are fairer than characters: a Chinese text and
# its English translation have about as many.
MAX_LENGTH_RATIO = 9
RATIO_FREE_BYTES = 120
START_BYTES = 512
_AFTER_THE_LANGUAGE = re.compile(r"(\.txt)?(\.gz)?$", re.IGNORECASE)
_TABBED = re.compile(r"\.(tsv|tab|txt)(\.gz)?$", re.IGNORECASE)
_RECORDS = re.compile(r"\.(jsonl?|ndjson|csv|parquet)(\.gz)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Pairing:
    """The two languages of a dataset, and what its files may call them."""

    source: Language
    target: Language

    @classmethod
    def of(cls, languages: Mapping[str, str]) -> Pairing:
        """Return the pairing of {source, target} codes."""
        return cls(*(language(languages[side]) for side in SIDES))

    def half(self, name: str) -> tuple[str, str] | None:
        """Return (name without its language, side) of a file that holds one side's lines, None for any other."""
        bare = _AFTER_THE_LANGUAGE.sub("", name)
        for side in SIDES:
            ending = f".{self[side].code}"
            if bare.lower().endswith(ending.lower()):
                return bare[: -len(ending)], side
        return None

    def __getitem__(self, side: str) -> Language:
        return self.source if side == "source" else self.target

    @cached_property
    def called(self) -> tuple[tuple[str, str], ...]:
        """What the two columns of a file may be called: by their sides, their codes or their names."""
        both = (self.source, self.target)
        code, name, name_zh = (
            tuple(str(getattr(one, field)).lower() for one in both) for field in ("code", "name", "name_zh")
        )
        return (SIDES, code, name, name_zh)  # type: ignore[return-value]

    def columns(self, found: Sequence[str]) -> tuple[str, str] | None:
        """Return the columns of a file that hold source and target, None if it does not have both."""
        names = {name.strip().lower(): name for name in found}
        for left, right in self.called:
            if left in names and right in names:
                return names[left], names[right]
        return None

    @cached_property
    def constants(self) -> dict[str, str]:
        """The columns that are the same in every row."""
        return {
            f"{side}_{column}": getattr(self[side], field)
            for column, field in (("language", "code"), ("name", "name"), ("name_zh", "name_zh"))
            for side in SIDES
        }


def read_parallel(raw: Mapping[str, Path], pairing: Pairing) -> Iterator[tuple[str, Iterator[Row | BadRow]]]:
    """Yield (name, pairs) of every file of pairs, and of every two files whose lines go together.

    The pairs are to be read before the next ones are asked for.
    """
    halves: dict[str, dict[str, _Half]] = {}
    for entry, path in sorted(raw.items()):
        for file in raw_file_list({entry: path}):
            half = pairing.half(file.name)
            if half is None:
                yield file.name, _pairs_of_one_file(file, pairing)
                continue
            stem, side = half
            first = halves.setdefault(stem, {}).setdefault(side, _Half(entry, path, file.name))
            if first.name != file.name:
                raise CorpusError(f"{file}: {first.name} holds the {side} lines of {stem} already. Keep one of them.")
    for stem, sides in sorted(halves.items()):
        yield stem, _pairs_of_two_files(stem, sides, pairing)


@dataclass(frozen=True)
class _Half:
    """A file that holds one side's lines, and the entry of the dataset's source that it is found under."""

    entry: str
    path: Path
    name: str

    def opened(self, stack: ExitStack) -> RawFile:
        """Return the file, to be read: inside an archive this is a pass of its own."""
        files = stack.enter_context(closing(raw_file_list({self.entry: self.path})))  # type: ignore[type-var]
        return next(file for file in files if file.name == self.name)


def _pairs_of_two_files(stem: str, sides: Mapping[str, _Half], pairing: Pairing) -> Iterator[Row | BadRow]:
    for side in SIDES:
        if side not in sides:
            (half,) = sides.values()
            raise CorpusError(
                f"{half.path}: {half.name} has no partner; {stem}.{pairing[side].code} is expected beside it. Add it, "
                "or correct the dataset's languages."
            )
    with ExitStack() as stack:
        left, right = (sides[side].opened(stack) for side in SIDES)
        pairs = zip_longest(_lines(left), _lines(right))
        for number, (source, target) in enumerate(pairs):
            if source is None or target is None:
                more = number + 1 + sum(1 for _ in pairs)
                counts = (number, more) if source is None else (more, number)
                raise CorpusError(
                    f"{left} has {counts[0]} lines and {right} has {counts[1]}: line by line they are pairs, so both "
                    "need as many. Restore the shorter one, or the line ends."
                )
            yield (
                bad_utf8([source], left.name)
                or bad_utf8([target], right.name)
                or _pair(source.text.rstrip("\r\n"), target.text.rstrip("\r\n"), left.name, source.number, pairing)
            )


def _lines(file: RawFile) -> Iterator[Line]:
    lines = _text_lines(file)
    for _ in lines:
        yield lines.take_record()[0]


def _text_lines(file: RawFile) -> Lines:
    data = buffered(file.data)
    refuse_what_is_not_text(data.peek(START_BYTES)[:START_BYTES], str(file))
    return Lines(data, str(file))


def _pairs_of_one_file(file: RawFile, pairing: Pairing) -> Iterator[Row | BadRow]:
    if _TABBED.search(file.name):
        rows = _tabbed(file, pairing)
    elif _RECORDS.search(file.name):
        rows = read_records(file, lambda header, path: _require_columns(header, path, pairing))
    else:
        raise CorpusError(
            f"{file}: pairs are read from .tsv, .csv, .json, .jsonl and .parquet files, and from two files of lines "
            f"that end in .{pairing.source.code} and .{pairing.target.code}. Rename the file, or correct the "
            "dataset's languages."
        )
    for row in rows:
        yield row if isinstance(row, BadRow) else _record_pair(row, pairing)


def _tabbed(file: RawFile, pairing: Pairing) -> Iterator[Row | BadRow]:
    """Read source<TAB>target; a first line that names both columns is a header, and may name more."""
    lines = _text_lines(file)
    first = next(lines, "").rstrip("\r\n").split("\t")
    lines.give_back(lines.take_record())
    header = None if pairing.columns(first) else list(SIDES)
    return csv_records(lines, file.name, lambda _header, _path: None, delimiter="\t", header=header)


def _require_columns(header: list[str], path: str, pairing: Pairing) -> None:
    if pairing.columns(header) is None:
        names = " or ".join(f"{left},{right}" for left, right in pairing.called[:2])
        raise CorpusError(
            f"{path}, line 1: the header is {shortened(','.join(header))!r}. Name the two columns {names}."
        )


def _record_pair(row: Row, pairing: Pairing) -> Row | BadRow:
    inner = row.fields.get("translation")
    fields = inner if isinstance(inner, dict) else row.fields
    names = pairing.columns(list(fields))
    if names is None:
        wanted = " and ".join(pairing.called[0])
        return BadRow("missing_field", row.file, row.line, wanted, ", ".join(fields), row.fields)
    fault = first_text_fault(fields, names, row.file, row.line)
    return fault or _pair(fields[names[0]], fields[names[1]], row.file, row.line, pairing)


def _pair(source: str, target: str, file: str, line: int, pairing: Pairing) -> Row | BadRow:
    """Return a pair of texts as a row; that one side is blank is for the table's schema to find."""
    blank = not source.strip(), not target.strip()
    fields = {"source": source, "target": target}
    if all(blank):
        return BadRow("blank_pair", file, line, "source and target", "", fields)
    if not any(blank):
        shorter, longer = sorted((len(source.encode()), len(target.encode())))
        if longer > RATIO_FREE_BYTES and longer > MAX_LENGTH_RATIO * shorter:
            return BadRow("lengths_far_apart", file, line, "bytes of the two sides", f"{shorter}, {longer}", fields)
    return Row(fields | pairing.constants, file, line)
