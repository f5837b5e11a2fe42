"""Short answers without what no two writers agree on: case, punctuation, articles, white space."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
# No white space, no letter and no mark: words end at it as they do at the end of a text.
_BETWEEN = "\0"


@dataclass(frozen=True)
class Rules:
    """How a benchmark makes two spellings of an answer equal; `marks` says what each mark becomes."""

    marks: Mapping[int, str | None]

    def normal(self, text: str) -> str:
        """Return the text lower-cased, its marks replaced, without articles and superfluous white space."""
        return " ".join(self._cleaned(text).split())

    def all_normal(self, texts: Sequence[str]) -> list[str]:
        """Return what `normal` makes of each text, all of them in one pass: several times as fast."""
        joined = _BETWEEN.join(texts)
        if joined.count(_BETWEEN) != len(texts) - 1:
            return list(map(self.normal, texts))
        return [" ".join(text.split()) for text in self._cleaned(joined).split(_BETWEEN)]

    def _cleaned(self, text: str) -> str:
        return _ARTICLE.sub(" ", text.lower().translate(self.marks))
