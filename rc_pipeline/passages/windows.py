"""Windows: pieces of a document that end where a paragraph or a sentence does."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rc_pipeline.passages.units import CLOSER, END, FULL_END, NEWLINE, WORD, Flags, Ints, Units

# "Mr.", "St." and "J." end no sentence.
LONGEST_ABBREVIATION = 3


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
    line_ends = units.kind == NEWLINE
    paragraphs = np.flatnonzero(line_ends) + 1
    sentences = np.flatnonzero(line_ends | _sentence_ends(units)) + 1
    paragraph_at, sentence_at = units.tokens[paragraphs].tolist(), units.tokens[sentences].tolist()
    breaks = _Breaks(paragraphs.tolist(), paragraph_at, sentences.tolist(), sentence_at, units.tokens)
    # A text without a word has one window all the same, or its characters would be in none.
    cuts = [breaks.between(*span, window_tokens) for span in pairwise(units.first.tolist())]
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

    def between(self, here: int, last: int, most: int) -> list[int]:
        """Return the first unit of each window of the units from `here` up to `last`."""
        before, total = int(self.tokens[here]), int(self.tokens[last])
        found = [here]
        while total - before > most:
            limit = before + most
            paragraph = bisect_right(self.paragraph_at, limit) - 1
            sentence = bisect_right(self.sentence_at, limit) - 1
            if paragraph >= 0 and 2 * self.paragraph_at[paragraph] >= before + limit:
                here, before = self.paragraphs[paragraph], self.paragraph_at[paragraph]
            elif sentence >= 0 and self.sentence_at[sentence] > before:
                here, before = self.sentences[sentence], self.sentence_at[sentence]
            else:
                # Every unit has a token or more, so the limit is not far.
                here = max(here + 1, bisect_right(self.tokens, limit, here, min(here + most, last) + 1) - 1)
                before = int(self.tokens[here])
            found.append(here)
        return found


def _sentence_ends(units: Units) -> Flags:
    """Return the units after which a sentence is over: its mark, or what closes behind the mark."""
    count = len(units.start)
    spaced = np.ones(count, np.bool_)
    spaced[:-1] = (units.start[1:] != units.end[:-1]) & (units.kind[1:] != NEWLINE)
    abbreviation = (units.kind == WORD) & units.capital & (units.end - units.start <= LONGEST_ABBREVIATION)
    mark, full = units.mark == END, units.mark == FULL_END
    mark[1:] &= ~abbreviation[:-1]
    closed = np.zeros(count, np.bool_)
    closed[1:] = (units.mark[1:] == CLOSER) & (units.start[1:] == units.end[:-1])
    over, over_full = mark.copy(), full.copy()
    over[1:] |= closed[1:] & mark[:-1]
    over_full[1:] |= closed[1:] & full[:-1]
    over_full[:-1] &= ~closed[1:]
    ends: Flags = (over & spaced) | over_full
    return ends
