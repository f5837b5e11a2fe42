"""Task documents: JSON objects that say a few things and hold one long list, which is read as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rc_pipeline.corpora.json_stream import JsonReader, elements_of, expect_end
from rc_pipeline.corpora.readers import CorpusError, Readable, shortened


class TaskDocument:
    """A document while it is read: `facts` are the top-level values met so far, without the list."""

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
                f"{self._name}: a JSON object with the key {self._list_key} is expected, found {found!r} at the start."
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
                    raise CorpusError(f"{self._name}: {key} is expected to be a list, found {reader.peek()!r}.")
                yield from elements_of(reader)
            else:
                self.facts[key] = reader.value()
            separator = reader.expect(",}")
        expect_end(reader, self._name)

    def lacks_list(self) -> CorpusError:
        """Return the error for a document that has been read to its end without meeting the list."""
        keys = shortened(", ".join(sorted(self.facts))) or "none"
        return CorpusError(f"{self._name}: the top level has no key {self._list_key}; it has {keys}.")
