"""Short answers without what no two writers agree on: case, punctuation, articles, white space."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
# No white space, no letter and no mark that rules replace: words end at these as they do at the end of a text.
_BETWEEN = (*range(0x09), *range(0x0E, 0x1C), *range(0xE000, 0xF900))


@dataclass(frozen=True)
class Rules:
    """How a benchmark makes two spellings of an answer equal; `marks` says what each mark becomes."""

    marks: Mapping[int, str | None]

    def normal(self, text: str) -> str:
        """Return the text lower-cased, its marks replaced, without articles and superfluous white space."""
        return " ".join(self._cleaned(text).split())

    def tokens(self, texts: Sequence[str]) -> tuple[list[str], str]:
        """Return the words of each text's normal form, all in one list, and what stands behind those of each text.

        Many texts are cleaned as one, for the speed of it; fastest where those of ASCII alone stand together.
        """
        every = "".join(texts)
        between = next((mark for mark in map(chr, _BETWEEN) if mark not in every), None)
        if between is None:
            # A space is no word, so it can stand behind those of a text.
            return [word for text in texts for word in (*self._cleaned(text).split(), " ")], " "
        found: list[str] = []
        for _, run in groupby(texts, str.isascii):
            found += self._cleaned(between.join([*run, ""])).replace(between, f" {between} ").split()
        return found, between

    def _cleaned(self, text: str) -> str:
        return _ARTICLE.sub(" ", text.lower().translate(self.marks))
