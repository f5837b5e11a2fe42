"""JSON documents of any size, read one element at a time."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any

from rc_pipeline.corpora.readers import CorpusError, Readable, refuse_what_is_not_text, shortened

CHUNK_BYTES = 1 << 20
# The largest TriviaQA question with its search results is below 100 kB.
MAX_VALUE_CHARACTERS = 16 << 20
_SPACE = " \t\r\n"


class JsonReader:
    """A window on the text of a JSON document that grows until the value at hand fits."""

    def __init__(self, file: Readable, name: str) -> None:
        self._file, self._name = file, name
        # Bytes that are not UTF-8 become lone surrogates: one bad row must not cost the whole file.
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="surrogateescape")
        self._scan = json.JSONDecoder().raw_decode
        self._text, self._at, self._ended = "", 0, False
        self.line = 1

    def _more(self, size: int = 0) -> None:
        first = not self._text and self.line == 1
        data = self._file.read(size or CHUNK_BYTES)
        if first:
            refuse_what_is_not_text(data[:256], self._name)
        self._ended = not data
        self._text = self._text[self._at :] + self._decoder.decode(data, final=self._ended)
        self._at = 0

    def _move(self, to: int) -> None:
        self.line += self._text.count("\n", self._at, to)
        self._at = to

    def peek(self) -> str:
        """Return the next character that is not white space, or nothing at the end."""
        while True:
            text, to = self._text, self._at
            while to < len(text) and text[to] in _SPACE:
                to += 1
            self._move(to)
            if to < len(text):
                return text[to]
            if self._ended:
                return ""
            self._more()

    def expect(self, wanted: str) -> str:
        """Step over one of the wanted characters and return it."""
        found = self.peek()
        if not found:
            raise self.cut_off()
        if found not in wanted:
            raise CorpusError(
                f"{self._name}, line {self.line}: not valid JSON: {found!r} where {' or '.join(wanted)} should be. "
                "Correct or restore the file."
            )
        self._at += 1
        return found

    def value(self) -> Any:
        """Return the next whole JSON value."""
        self.peek()
        size = CHUNK_BYTES
        while True:
            fault = ""
            try:
                value, end = self._scan(self._text, self._at)
            except json.JSONDecodeError as error:
                fault = f"{error.msg} at line {self.line + error.lineno - 1 - self._text.count(chr(10), 0, self._at)}"
                cut = error.pos >= len(self._text) or error.msg.startswith(("Unterminated", "Invalid \\uXXXX"))
            except (RecursionError, ValueError) as error:
                raise CorpusError(f"{self._name}, line {self.line}: not usable JSON: {error}.") from error
            # What looks like a whole number may go on in the next chunk: "1" can become "1e+5".
            if not fault and (end + len("e+5") <= len(self._text) or self._ended):
                self._move(end)
                return value
            if self._ended:
                raise self.cut_off() if cut else self._invalid(fault)
            if len(self._text) - self._at > MAX_VALUE_CHARACTERS:
                raise self._invalid(fault or f"a value longer than {MAX_VALUE_CHARACTERS} characters")
            self._more(size)
            size *= 2

    def cut_off(self) -> CorpusError:
        """Return the error for a document that stops too early."""
        return CorpusError(
            f"{self._name}: the JSON ends in the middle (in the value that starts on line {self.line}). "
            "The file is cut off; download or copy it again."
        )

    def _invalid(self, fault: str) -> CorpusError:
        return CorpusError(f"{self._name}: not valid JSON: {fault}. Correct or restore the file.")


def list_elements(file: Readable, name: str) -> Iterator[tuple[int, Any]]:
    """Yield (line, element) of a document that is one JSON list."""
    reader = JsonReader(file, name)
    if reader.peek() != "[":
        found = reader.peek() or "nothing"
        raise CorpusError(
            f"{name}: a JSON list is expected, found {found!r} at the start. Correct or restore the file."
        )
    yield from elements_of(reader)
    expect_end(reader, name)


def elements_under(key: str, file: Readable, name: str) -> Iterator[tuple[int, Any]]:
    """Yield (line, element) of the list that a document's top-level object holds under `key`."""
    document = JsonDocument(key, file, name)
    yield from document.elements()
    if not document.has_list:
        raise document.lacks_list()


class JsonDocument:
    """An object that says a few things and holds one long list; `facts` are those met so far, without the list."""

    def __init__(self, list_key: str, file: Readable, name: str) -> None:
        self.facts: dict[str, Any] = {}
        self.has_list = False
        self._list_key, self._name = list_key, name
        self._reader = JsonReader(file, name)

    def elements(self) -> Iterator[tuple[int, Any]]:
        """Yield (line, element) of the list; after the last one all facts are known."""
        reader = self._reader
        if reader.peek() != "{":
            found = reader.peek() or "nothing"
            raise CorpusError(
                f"{self._name}: a JSON object with the key {self._list_key} is expected, found {found!r} at the start. "
                "Correct or restore the file."
            )
        reader.expect("{")
        separator = "," if reader.peek() != "}" else reader.expect("}")
        while separator == ",":
            if reader.peek() != '"':
                reader.expect('"')
            key = str(reader.value())
            reader.expect(":")
            if key == self._list_key and not self.has_list:
                self.has_list = True
                if reader.peek() != "[":
                    raise CorpusError(
                        f"{self._name}: {key} is expected to be a list, found {reader.peek()!r}. "
                        "Correct or restore the file."
                    )
                yield from elements_of(reader)
            else:
                self.facts[key] = reader.value()
            separator = reader.expect(",}")
        expect_end(reader, self._name)

    def lacks_list(self) -> CorpusError:
        """Return the error for a document that has been read to its end without meeting the list."""
        keys = shortened(", ".join(sorted(self.facts))) or "none"
        return CorpusError(
            f"{self._name}: the top level has no key {self._list_key}; it has {keys}. Correct or restore the file."
        )


def elements_of(reader: JsonReader) -> Iterator[tuple[int, Any]]:
    """Yield (line, element) of the list that the reader stands before."""
    reader.expect("[")
    if reader.peek() == "]":
        reader.expect("]")
        return
    separator = ","
    while separator == ",":
        reader.peek()
        line = reader.line
        yield line, reader.value()
        separator = reader.expect(",]")


def expect_end(reader: JsonReader, name: str) -> None:
    """Raise if anything but white space is left."""
    if reader.peek():
        raise CorpusError(f"{name}, line {reader.line}: there is more after the end of the JSON document. Remove it.")
