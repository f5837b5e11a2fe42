"""Windows: pieces of a document that end where a paragraph or a sentence does."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rc_pipeline.passages.units import CLOSER, END, FULL_END, NEWLINE, WORD, Flags, Ints, Units

# "Mr.", "St." and "J." end no sentence; words of this length are hardly ever abbreviations.
SHORTEST_LAST_WORD = 4


@dataclass(frozen=True)
class Windows:
    """The windows of several texts; those of text i are `first[i]` up to `first[i + 1]`.

    They tile their text: each ends where the next one starts, and the spaces between belong to the earlier.
    `unit` holds the first unit of each window, and at its end the number of all units.
    """

    first: Ints
    start: Ints
    end: Ints
    unit: Ints
    tokens: Ints


def cut_windows(units: Units, lengths: Ints, window_tokens: int) -> Windows:
    """Cut texts of these lengths into windows of at most `window_tokens` (or a single unit).

    A window ends with the last paragraph that fits if that fills half of it, else with the last
    sentence, else anywhere between words. Short paragraphs so share a window with their neighbours.
    """
    paragraphs = np.flatnonzero(units.kind == NEWLINE) + 1
    sentences = np.union1d(paragraphs, np.flatnonzero(_sentence_ends(units)) + 1)
    paragraph_at, sentence_at = units.tokens[paragraphs].tolist(), units.tokens[sentences].tolist()
    breaks = _Breaks(paragraphs.tolist(), paragraph_at, sentences.tolist(), sentence_at, units.tokens)
    # A text without a word has one window all the same, or its characters would be in none.
    cuts = [list(breaks.between(*span, window_tokens)) or [span[0]] for span in pairwise(units.first.tolist())]
    first = np.concatenate(([0], np.cumsum([len(found) for found in cuts], dtype=np.int64)))
    unit = np.array([cut for found in cuts for cut in found] + [len(units.start)], np.int64)
    start = np.zeros(len(unit) - 1, np.int64)
    later = np.ones(len(start), np.bool_)
    later[first[:-1]] = False
    start[later] = units.start[unit[:-1][later]]
    end = np.empty_like(start)
    end[:-1] = start[1:]
    end[first[1:] - 1] = lengths
    return Windows(first, start, end, unit, np.diff(units.tokens[unit]))


@dataclass(frozen=True)
class _Breaks:
    """Where windows may end, as unit numbers and as tokens before them."""

    paragraphs: list[int]
    paragraph_at: list[int]
    sentences: list[int]
    sentence_at: list[int]
    tokens: Ints

    def between(self, here: int, last: int, most: int) -> Iterator[int]:
        """Yield the first unit of each window of the units from `here` up to `last`."""
        total = int(self.tokens[last])
        while here < last:
            yield here
            before = int(self.tokens[here])
            if total - before <= most:
                return
            here = self._after(here, before, before + most)

    def _after(self, here: int, before: int, limit: int) -> int:
        at = bisect_right(self.paragraph_at, limit) - 1
        if at >= 0 and 2 * (self.paragraph_at[at] - before) >= limit - before and self.paragraphs[at] > here:
            return self.paragraphs[at]
        at = bisect_right(self.sentence_at, limit) - 1
        if at >= 0 and self.sentences[at] > here:
            return self.sentences[at]
        return max(here + 1, int(np.searchsorted(self.tokens, limit, "right")) - 1)


def _sentence_ends(units: Units) -> Flags:
    """Return the units after which a sentence is over: its mark, or what closes behind the mark."""
    count = len(units.start)
    spaced = np.ones(count, np.bool_)
    spaced[:-1] = (units.start[1:] != units.end[:-1]) & (units.kind[1:] != NEWLINE)
    # Before the mark of an abbreviation stands a short word.
    short = (units.kind == WORD) & (units.end - units.start < SHORTEST_LAST_WORD)
    mark, full = units.mark == END, units.mark == FULL_END
    mark[1:] &= ~short[:-1]
    closed = np.zeros(count, np.bool_)
    closed[1:] = (units.mark[1:] == CLOSER) & (units.start[1:] == units.end[:-1])
    over, over_full = mark.copy(), full.copy()
    over[1:] |= closed[1:] & mark[:-1]
    over_full[1:] |= closed[1:] & full[:-1]
    over_full[:-1] &= ~closed[1:]
    ends: Flags = (over & spaced) | over_full
    return ends
