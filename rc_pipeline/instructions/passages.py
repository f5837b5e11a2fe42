"""Where a passage ended up in a rendered text, whatever the template did around it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain

Span = tuple[int, int] | None

_PRIVATE_USE = (range(0xE000, 0xF900), range(0xF0000, 0xFFFFE))


@dataclass(frozen=True)
class Marked:
    """A passage between two characters that occur neither in it nor in the rendered text."""

    text: str
    opening: str
    closing: str

    def unmarked(self, text: str) -> str:
        """Return a text without the marks."""
        return text.replace(self.opening, "").replace(self.closing, "")


def marked(passage: str, shown: str) -> Marked:
    """Put a passage between marks that are free in it and in the text that shows it."""
    free = (mark for mark in map(chr, chain(*_PRIVATE_USE)) if mark not in passage and mark not in shown)
    opening, closing = next(free), next(free)
    return Marked(f"{opening}{passage}{closing}", opening, closing)


def locate(shown: str, passage: str, traced: str, marks: Marked) -> Span:
    """Return the span of the passage in `shown`, given the same text rendered with marks.

    The text without marks is what counts: a filter such as trim, upper or truncate may have seen the
    marks, so they only say what stands before and after. Of several places the longest counts, then the first.
    """
    spans = [span for start in _places(traced, marks.opening) if (span := _span(shown, passage, traced, start, marks))]
    if not spans:
        text = passage.strip()
        spans = [(place, place + len(text)) for place in _places(shown, text)] if text else []
    return max(spans, key=lambda span: (span[1] - span[0], -span[0]), default=None)


def _places(text: str, wanted: str) -> list[int]:
    return [found.start() for found in re.finditer(re.escape(wanted), text)]


def _span(shown: str, passage: str, traced: str, start: int, marks: Marked) -> Span:
    before = marks.unmarked(traced[:start])
    if not shown.startswith(before):
        return None
    closing = traced.find(marks.closing, start)
    if closing >= 0:
        after = marks.unmarked(traced[closing:])
        end = len(shown) - len(after)
        if end > len(before) and shown.endswith(after):
            return len(before), end
    # The closing mark was cut off, or what follows depends on the passage: follow the passage's own text.
    same = _same_characters(shown, len(before), passage)
    return (len(before), len(before) + same) if same else None


def _same_characters(shown: str, place: int, passage: str) -> int:
    low, high = 0, min(len(passage), len(shown) - place)
    while low < high:
        middle = (low + high + 1) // 2
        if shown.startswith(passage[:middle], place):
            low = middle
        else:
            high = middle - 1
    return low
