"""How much two templates say the same: ROUGE-L over words, a Chinese character being one.

The package rouge-score keeps a-z and 0-9 alone, so that all Chinese templates would be equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

NEAR = 0.7
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_]+")
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


def words(text: str) -> list[str]:
    """Return the words that a template itself says; what it takes from rows is the same in all of them."""
    return _WORD.findall(_PLACEHOLDER.sub(" ", text).lower())


def likeness(one: list[str], other: list[str]) -> float:
    """Return ROUGE-L: the F-measure of the longest common subsequence; 1 for two that say nothing."""
    if not one or not other:
        return float(one == other)
    return 2 * _common(one, other) / (len(one) + len(other))


def _common(one: list[str], other: list[str]) -> int:
    """Return the length of the longest common subsequence: a bit for each word of one, all of them in one step."""
    places: dict[str, int] = {}
    for at, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << at
    every = row = (1 << len(one)) - 1
    for word in other:
        same = row & places.get(word, 0)
        row = ((row + same) | (row - same)) & every
    return len(one) - row.bit_count()


def nearest_of(text: list[str], others: Iterable[tuple[str, list[str]]]) -> tuple[str, float]:
    """Return the name and the likeness of the nearest other."""
    return max(((name, likeness(text, other)) for name, other in others), key=lambda each: each[1], default=("", 0.0))
