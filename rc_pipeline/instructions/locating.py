"""Where a passage ended up in a rendered text, whatever the template did around it."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import chain, pairwise

Span = tuple[int, int] | None

_PRIVATE_USE = (range(0xE000, 0xF900), range(0xF0000, 0xFFFFE))


def locate(shown: str, passage: str, render: Callable[[str], str]) -> Span:
    """Return the span of the passage in `shown`, which is what `render` makes of it.

    The passage is rendered once more between two marks that the texts are free of. What was rendered
    without them is what counts: a filter such as trim or truncate may have seen the marks, so they only
    say what stands before and after. Of several places the longest counts, then the first.
    """
    free = (mark for mark in map(chr, chain(*_PRIVATE_USE)) if mark not in passage and mark not in shown)
    opening, closing = next(free), next(free)
    traced = render(f"{opening}{passage}{closing}")
    starts = [found.start() for found in re.finditer(opening, traced)]
    certain: list[tuple[int, int]] = []
    likely: list[tuple[int, int]] = []
    for start, following in pairwise([*starts, len(traced)]):
        before = re.sub(f"[{opening}{closing}]", "", traced[:start])
        if not shown.startswith(before):
            continue
        end = traced.find(closing, start, following)
        if end < 0 and len(starts) == 1:
            # The end was cut off with its mark. Marks around nothing are too short for that.
            traced = render(f"{opening}{closing}")
            end = traced.find(closing)
        after = re.sub(f"[{opening}{closing}]", "", traced[end:])
        if end >= 0 and shown.endswith(after) and len(before) + len(after) < len(shown):
            certain.append((len(before), len(shown) - len(after)))
        elif same := _same_characters(shown, len(before), passage):
            likely.append((len(before), len(before) + same))
    spans = certain or _verbatim(shown, passage.strip()) or likely
    return max(spans, key=lambda span: (span[1] - span[0], -span[0]), default=None)


def _verbatim(shown: str, passage: str) -> list[tuple[int, int]]:
    place = shown.find(passage) if passage else -1
    # All places are as long, and the first one counts.
    return [] if place < 0 else [(place, place + len(passage))]


def _same_characters(shown: str, place: int, passage: str) -> int:
    """Count the characters of the passage, from its first, that stand in `shown` at a place."""
    low, high = 0, min(len(passage), len(shown) - place)
    while low < high:
        middle = (low + high + 1) // 2
        if shown.startswith(passage[:middle], place):
            low = middle
        else:
            high = middle - 1
    return low
