"""What every reader of raw files shares: good rows, bad rows with a reason, and files that are no data at all."""

from __future__ import annotations

import codecs
import io
import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from typing_extensions import Buffer

# Longer than any row of the known corpora by a factor of a hundred; it bounds memory on a file without line ends.
MAX_LINE_BYTES = 4 << 20
# A row over several lines: what is longer is text behind a quote that is never closed.
MAX_RECORD_CHARACTERS = 16 << 20
# Lines behind a broken quote are read again; quotes broken on every line would have a file read for ever.
READ_AGAIN_CHARACTERS, READ_AGAIN_TIMES = 64 << 20, 4
SHOWN_CHARACTERS = 80
SHOWN_NAMES = 500
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
KEPT_CHARACTERS = 10_000

REMEDIES = {
    "short_row": "Restore the missing fields; a text that holds a comma or a line end needs quotes around it.",
    "long_row": "Put quotes around the text that holds a comma, or remove the extra fields.",
    "broken_quotes": 'Close the quotes, and write a quote inside a quoted text twice ("").',
    "stray_carriage_return": "Replace the carriage return in the middle of the line by a space.",
    "bad_utf8": "Save the file as UTF-8.",
    "bad_json": "Correct the JSON of this row.",
    "not_an_object": "Write the row as a JSON object.",
    "missing_field": "Add the field.",
    "not_text": "Write the value as a JSON string.",
    "control_character": "Remove the control character from the text.",
    "label_not_0_to_3": "Write the label as 0, 1, 2 or 3.",
    "no_answer": "Add the Answer, or use the file as a test split.",
    "no_aliases": "Add NormalizedAliases or HumanAnswers; without one no prediction can be right.",
    "duplicate_question_id": "Give every question of a split its own QuestionId.",
    "duplicate_document": "Keep one file of this name in the archive.",
    "document_too_large": "Cut the document, or leave it out.",
    "no_turns": "Write the turns of the conversation, or remove it.",
    "not_a_list": "Write the value as a JSON list.",
    "unknown_role": "Name the sides human and gpt (ShareGPT) or user and assistant (OpenAI), and system before them.",
    "tool_turn": "Remove the calls of tools, or the conversation; only what is said in words can be learnt.",
    "late_system_turn": "Put the system text before the first question.",
    "empty_turn": "Fill in the text, or end the conversation before it.",
    "answer_without_question": "Put the question before the answer, or remove the answer.",
    "question_without_answer": "Add the answer, or remove the question.",
    "history_too_long": "Split the conversation.",
    "weight_is_0": "Leave it: the answer stays in the history of those after it, and is not learnt itself.",
    "no_questions": "Add the questions of the passage, or remove it.",
    "impossible_or_not": "Set is_impossible to true and give no answers, or to false and give some.",
    "unequal_lists": "Give the lists text and answer_start, both as long.",
    "not_a_number": "Write the value as a JSON whole number.",
    "answer_not_in_context": "Write the answer exactly as it stands in the passage.",
    "blank_pair": "Write both texts, or remove the pair.",
    "lengths_far_apart": "Check that the two sides say the same, line by line.",
    "duplicate_id": "Give every row its own id, or remove the repeated row.",
    "task_is_a_program": "Leave the task out: it has no examples to read, it is run.",
    "not_scores": "Write target_scores as an object of two or more options with a number each.",
    "empty_option": "Fill in the text of the option, or remove it.",
    "no_best_option": "Give the right option a higher score than the others, of which there must be one.",
    "not_four_choices": "Write four choices: the columns A, B, C and D, or a list of four.",
    "answer_not_a_to_d": "Write the answer as A, B, C or D; in records also as 0, 1, 2 or 3.",
}


class Readable(Protocol):
    """Bytes that can be read from front to back."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""


class _Bytes(io.RawIOBase):
    def __init__(self, data: Readable) -> None:
        self._data = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._data.read(len(view))
        view[: len(data)] = data
        return len(data)


def buffered(data: Readable) -> io.BufferedReader:
    """Return bytes as a file that can be peeked at and read by lines."""
    return io.BufferedReader(_Bytes(data), 1 << 16)


def shortened(text: str, most: int = SHOWN_NAMES) -> str:
    """Return a text, or the start of one that would fill a message; files may have a million columns."""
    return text if len(text) <= most else f"{text[:most]}…"


class CorpusError(ValueError):
    """A raw file that cannot be read as the format it should have."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row as the raw file has it, where it stands there, and its key where its position would not last."""

    fields: dict[str, Any]
    file: str
    line: int
    key: str = ""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used, with the reason, the place and the value at fault."""

    reason: str
    file: str
    line: int
    field: str
    value: str
    row: Any

    def describe(self) -> str:
        """Return one line for people: where, what, why, and what to do."""
        remedy = REMEDIES.get(self.reason) or "Fill in the text, or remove the row."
        value = shortened(self.value, SHOWN_CHARACTERS)
        return f"{self.file}, line {self.line}: {self.field} is {value!r} ({self.reason}). {remedy}"

    def row_json(self) -> str:
        """Return the row as JSON text that any UTF-8 column can hold."""
        # Escapes stand for the halves of characters that UTF-8 cannot hold.
        text = json.dumps(self.row, ensure_ascii=False, default=str).encode(errors="backslashreplace").decode()
        if len(text) > KEPT_CHARACTERS:
            return json.dumps({"first_characters": text[:KEPT_CHARACTERS], "characters": len(text)}, ensure_ascii=False)
        return text


@dataclass(frozen=True, slots=True)
class Line:
    """A physical line, decoded so that bytes which are not UTF-8 stay recognisable."""

    text: str
    number: int
    start: int
    bad_byte: int | None
    ended: bool


_NOT_DATA = (
    (b"<", "an HTML or XML page; a login or error page was probably saved in place of the data"),
    (b"version https://git-lfs", "a Git LFS pointer; fetch the file itself with `git lfs pull`"),
    (b"\x1f\x8b", "gzip-compressed; unpack it, or let its name end in .gz"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet; export it as plain text"),
    (codecs.BOM_UTF16_LE, "UTF-16 text; save it as UTF-8"),
    (codecs.BOM_UTF16_BE, "UTF-16 text; save it as UTF-8"),
)


def refuse_what_is_not_text(start: bytes, name: str) -> None:
    """Raise a clear error if the first bytes show a web page, a pointer, an archive or UTF-16."""
    if b"\0" in start[:2]:
        raise CorpusError(f"{name}: the file starts with {start[:20]!r}: it is UTF-16 text; save it as UTF-8.")
    head = start.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    for mark, what in _NOT_DATA:
        if head.startswith(mark.lower()) or start.startswith(mark):
            raise CorpusError(f"{name}: the file starts with {start[:20]!r}: it is {what}.")


def first_bytes(path: Path, count: int = 256) -> bytes:
    """Return the first bytes of a file, or say why it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> CorpusError:
    """Return the error for a file that the system does not let us read."""
    return CorpusError(f"{path}: the file cannot be read ({error.strerror}). Check the path and its permissions.")


class Lines(Iterator[str]):
    """Lines of a file with numbers and byte offsets; the lines of the current record can be given back."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self.name = file, name
        self._ahead: deque[Line] = deque()
        self._number = self._offset = self._length = self._again = 0
        self.record: list[Line] = []

    def __next__(self) -> str:
        if self._length > MAX_RECORD_CHARACTERS:
            raise StopIteration
        line = self._ahead.popleft() if self._ahead else self._read()
        self.record.append(line)
        self._length += len(line.text)
        return line.text

    def take_record(self) -> list[Line]:
        """Return the lines read since the last call."""
        record, self.record, self._length = self.record, [], 0
        return record

    def give_back(self, lines: list[Line]) -> None:
        """Read these lines again before any others."""
        self._ahead.extendleft(reversed(lines))
        self._again += sum(len(line.text) for line in lines)
        if self._again > max(READ_AGAIN_CHARACTERS, READ_AGAIN_TIMES * self._offset):
            raise CorpusError(
                f"{self.name}, line {lines[0].number}: quotes are broken here and in so many lines before that rows "
                'cannot be told apart. Close the quotes, and write a quote inside a quoted text twice ("").'
            )

    def _read(self) -> Line:
        data = self._file.readline(MAX_LINE_BYTES + 1)
        if not data:
            raise StopIteration
        self._number += 1
        if len(data) > MAX_LINE_BYTES:
            raise CorpusError(
                f"{self.name}, line {self._number}: the line is longer than {MAX_LINE_BYTES} bytes. "
                "The rows need line ends (LF or CRLF)."
            )
        start, self._offset = self._offset, self._offset + len(data)
        if start == 0:
            data = data.removeprefix(codecs.BOM_UTF8)
            start = self._offset - len(data)
        ended = data.endswith(b"\n")
        if self._number == 1 and not ended and b"\r" in data.rstrip(b"\r"):
            raise CorpusError(f"{self.name}: its lines end in CR alone. Save the file with LF or CRLF line ends.")
        try:
            return Line(data.decode(), self._number, start, None, ended)
        except UnicodeDecodeError as error:
            text = data.decode(errors="surrogateescape")
            return Line(text, self._number, start, start + error.start, ended)


def bad_utf8(lines: list[Line], file: str) -> BadRow | None:
    """Return the row as a bad one if any of its lines is not UTF-8."""
    for line in lines:
        if line.bad_byte is not None:
            raw = line.text.encode(errors="surrogateescape")
            byte = raw[line.bad_byte - line.start]
            text = raw.decode(errors="backslashreplace")
            return BadRow("bad_utf8", file, line.number, f"byte {line.bad_byte} of the file", f"0x{byte:02x}", text)
    return None


def text_fault(value: object) -> str | None:
    """Return the reason why a value cannot be kept as text, if there is one."""
    if not isinstance(value, str):
        return "not_text"
    if _LONE_SURROGATE.search(value):
        return "bad_utf8"
    return None


def first_text_fault(fields: Mapping[str, object], names: tuple[str, ...], file: str, line: int) -> BadRow | None:
    """Return the row as a bad one if one of the named fields is absent or no clean text."""
    for name in names:
        if name not in fields:
            return BadRow("missing_field", file, line, name, "", dict(fields))
        reason = text_fault(fields[name])
        if reason:
            value = fields[name]
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            return BadRow(reason, file, line, name, shown, dict(fields))
    return None
