"""One pass over documents: their windows, what of each question's terms is in them, and where an answer is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from rc_pipeline.passages.phrases import ANSWER, MAX_TERMS, Phrases, content
from rc_pipeline.passages.units import Flags, Hashes, Ints, Units, read_units, spans_hash
from rc_pipeline.passages.windows import Windows, cut_windows

# What is kept of a window for a question. `answer` counts the tokens from the window's start to the end of
# the first answer in it; `across` does so for an answer that starts in the window before.
ROW = np.dtype(
    [
        ("question", "<u4"), ("rank", "<u4"), ("start", "<u4"), ("end", "<u4"), ("tokens", "<u2"), ("words", "<u2"),
        ("answer", "<u2"), ("across", "<u2"), ("terms", "u1", (MAX_TERMS,)),
    ]
)  # fmt: skip
NONE = 0xFFFF
Rows = npt.NDArray[np.void]
ROWS_AT_ONCE = 20_000
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_SIEVE_BITS = np.uint64(48)


@dataclass(frozen=True)
class Pairs:
    """Questions and the texts that they are looked for in, by text; `rank` is the text's place in the question."""

    text: Ints
    question: Ints
    rank: Ints

    def only(self, kept: Flags | slice) -> Pairs:
        """Return some of the pairs."""
        return Pairs(self.text[kept], self.question[kept], self.rank[kept])


@dataclass(frozen=True)
class _Read:
    """What was read of some texts; `content` are the units that comparing is about."""

    units: Units
    windows: Windows
    content: Ints
    offsets: Ints


class Searcher:
    """Looks for the phrases of so many questions."""

    def __init__(self, phrases: Phrases, questions: int, window_tokens: int) -> None:
        self._phrases, self._window_tokens = phrases, window_tokens
        self._first = np.searchsorted(phrases.question, np.arange(questions + 1))

    def rows(self, texts: Sequence[str], pairs: Pairs, offsets: Ints) -> Iterator[Rows]:
        """Yield a row for each window of each pair's text; `offsets` says where texts start in their documents."""
        units = read_units(texts)
        windows = cut_windows(units, np.fromiter(map(len, texts), np.int64, len(texts)), self._window_tokens)
        read = _Read(units, windows, content(units), offsets)
        # A text without a word is nothing to read.
        pairs = pairs.only(np.diff(np.searchsorted(read.content, units.first))[pairs.text] > 0)
        # A document that thousands of questions cite is searched for some of them at a time.
        part = np.cumsum(np.diff(windows.first)[pairs.text]) // ROWS_AT_ONCE
        bounds = np.flatnonzero(np.diff(part, prepend=-1, append=-1))
        for begin, end in pairwise(bounds):
            yield self._rows(read, pairs.only(slice(begin, end)))

    def _rows(self, read: _Read, pairs: Pairs) -> Rows:
        units, windows = read.units, read.windows
        rows, base = _empty_rows(read, pairs)
        pair, phrase, at = self._found(units.says[read.content], units.text[read.content], pairs)
        length, slot = self._phrases.length[phrase].astype(np.int64), self._phrases.slot[phrase]
        begins, ends = read.content[at], read.content[at + length - 1]
        window = np.searchsorted(windows.unit, begins, "right") - 1
        last = np.searchsorted(windows.unit, ends, "right") - 1
        row = base[pair] + last - windows.first[pairs.text[pair]]

        term = slot != ANSWER
        cells = np.bincount(row[term] * MAX_TERMS + slot[term], minlength=len(rows) * MAX_TERMS)
        rows["terms"] = cells.clip(max=255).astype(np.uint8).reshape(-1, MAX_TERMS)
        reach = (units.tokens[ends + 1] - units.tokens[windows.unit[last]]).clip(max=NONE - 1).astype(np.uint16)
        inside, across = ~term & (window == last), ~term & (window == last - 1)
        np.minimum.at(rows["answer"], row[inside], reach[inside])
        np.minimum.at(rows["across"], row[across], reach[across])
        return rows

    def _found(self, says: Hashes, text: Ints, pairs: Pairs) -> tuple[Ints, Ints, Ints]:
        """Return where which phrase of which pair stands: pair, phrase, and place among the words."""
        counts = self._first[pairs.question + 1] - self._first[pairs.question]
        pair, phrase = expanded(self._first[pairs.question], counts)
        if not len(phrase):
            return pair, phrase, phrase
        key = self._phrases.head[phrase] ^ (pairs.text[pair].astype(np.uint64) * _MIX)
        order = np.argsort(key, kind="stable")
        keys, begin, many = np.unique(key[order], return_index=True, return_counts=True)
        # A sieve of first words lets few of the others through to the search.
        sieve = np.zeros(1 << 16, np.bool_)
        sieve[self._phrases.head[phrase] >> _SIEVE_BITS] = True
        place = np.flatnonzero(sieve[says >> _SIEVE_BITS])
        wanted = says[place] ^ (text[place].astype(np.uint64) * _MIX)
        slot = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        hit = np.flatnonzero(keys[slot] == wanted)
        which, entry = expanded(begin[slot[hit]], many[slot[hit]])
        at, found = place[hit][which], order[entry]
        length = self._phrases.length[phrase[found]].astype(np.int64)
        last = at + length - 1
        inside = last < len(says)
        inside[inside] = text[last[inside]] == text[at[inside]]
        at, found, length = at[inside], found[inside], length[inside]
        same = spans_hash(says, at, length) == self._phrases.whole[phrase[found]]
        return pair[found[same]], phrase[found[same]], at[same]


def _empty_rows(read: _Read, pairs: Pairs) -> tuple[Rows, Ints]:
    """Return the rows of all pairs, nothing found in them yet, and where the rows of each pair begin."""
    windows = read.windows
    counts = np.diff(windows.first)[pairs.text]
    pair, window = expanded(windows.first[pairs.text], counts)
    rows = np.zeros(len(pair), ROW)
    rows["question"], rows["rank"] = pairs.question[pair], pairs.rank[pair]
    offset = read.offsets[pairs.text[pair]]
    rows["start"], rows["end"] = windows.start[window] + offset, windows.end[window] + offset
    rows["tokens"] = windows.tokens[window]
    rows["words"] = np.diff(np.searchsorted(read.content, windows.unit))[window]
    rows["answer"] = rows["across"] = NONE
    return rows, np.cumsum(counts) - counts


def expanded(begin: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """Return, for runs of `counts` numbers from `begin`, which run each number is of, and the number."""
    run = np.repeat(np.arange(len(counts)), counts)
    return run, np.arange(len(run)) - np.repeat(np.cumsum(counts) - counts, counts) + begin[run]
