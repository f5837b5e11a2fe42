"""The evaluation set, held in memory: each of its texts once, and what of it is looked for in training rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from rc_pipeline.overlaps.sketches import Bands, Signatures, signatures
from rc_pipeline.overlaps.texts import Content
from rc_pipeline.overlaps.words import Words, located, ngrams, read_words, shingles, spread
from rc_pipeline.passages.units import Flags, Hashes, Ints

# A run that stands in more texts of an evaluation set is a phrase of the set, and tells nothing of one row.
TEXTS_OF_A_PHRASE = 10
CHARACTERS_AT_ONCE = 1_000_000
# The sieve is made this many times as wide as there are runs, within bounds.
_SIEVE_WIDTH, _SIEVE_BITS = 8, (16, 27)


@dataclass(frozen=True)
class Ngrams:
    """The runs of thirteen words of all texts, sorted: what each says, its text, and its place among the text's words.

    `count` is how many different ones there are in each text.
    """

    says: Hashes
    text: Ints
    word: Ints
    count: Ints
    sieve: Flags

    def found(self, says: Hashes) -> tuple[Ints, Ints]:
        """Return (place in `says`, place in these) of every pair of equal runs."""
        possible = np.flatnonzero(self.sieve[_high_bits(says, self.sieve)])
        which, place = spread(*located(self.says, says[possible]))
        return possible[which], place


@dataclass(frozen=True)
class Asked:
    """Rows, their texts, and each pair of the two: text `text[i]` is one of row `row[i]`."""

    row_ids: list[str]
    row: Ints
    text: Ints
    texts: list[str]
    part: list[str]
    number: dict[tuple[str, int], int]
    ngrams: Ngrams
    shingles: list[Hashes]
    bands: Bands


def read_asked(batches: Iterable[pl.DataFrame], content: Content) -> Asked:
    """Read the rows of an evaluation set."""
    row_ids: list[str] = []
    pairs: list[tuple[int, int]] = []
    number: dict[tuple[str, int], int] = {}
    texts: list[str] = []
    for batch in batches:
        for part, begin, words in pieces(batch, content):
            for at, (whole, text) in enumerate(zip(words.whole.tolist(), words.texts, strict=True), len(row_ids)):
                if whole:
                    known = number.setdefault((part, whole), len(texts))
                    texts += [text] * (known == len(texts))
                    pairs.append((at + begin, known))
        row_ids += batch["row_id"].to_list()
    row, text_number = np.array(pairs, np.int64).reshape(-1, 2).T
    found = _Searched()
    for _, words in _cut(texts):
        found.add(words)
    parts = [part for part, _ in number]
    return Asked(row_ids, row, text_number, texts, parts, number, found.ngrams(), found.shingles, found.bands())


def pieces(batch: pl.DataFrame, content: Content) -> Iterator[tuple[str, int, Words]]:
    """Yield (part, row of the first text, words) of some rows' texts at a time."""
    for part, column in content.texts(batch):
        for begin, words in _cut(column.to_list()):
            yield part, begin, words


def _cut(texts: Sequence[str]) -> Iterator[tuple[int, Words]]:
    read = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    cuts = np.flatnonzero(np.diff(read // CHARACTERS_AT_ONCE)) + 1
    for begin, end in pairwise([0, *cuts.tolist(), len(texts)]):
        yield begin, read_words(texts[begin:end])


class _Searched:
    """What the texts of an evaluation set are found by, while they are read."""

    def __init__(self) -> None:
        self.shingles: list[Hashes] = []
        self._sketches: list[Signatures] = []
        self._says: list[Hashes] = []
        self._text: list[Ints] = []
        self._word: list[Ints] = []

    def add(self, words: Words) -> None:
        """Take the next texts."""
        runs, sets = ngrams(words), shingles(words)
        text = np.repeat(np.arange(len(words.texts)), np.diff(runs.first))
        self._says.append(runs.says)
        self._text.append((text + len(self.shingles)).astype(np.int32))
        self._word.append((runs.word - words.first[text]).astype(np.int32))
        self._sketches.append(signatures(sets))
        self.shingles += [np.unique(sets.says[begin:end]) for begin, end in pairwise(sets.first.tolist())]

    def bands(self) -> Bands:
        """Return the signatures of the texts, by band."""
        return Bands(np.concatenate(self._sketches))

    def ngrams(self) -> Ngrams:
        """Return the runs of the texts, each once a text, but for the phrases of the set."""
        says, text, word = np.concatenate(self._says), np.concatenate(self._text), np.concatenate(self._word)
        # Stable: of equal runs, those of the first text come first, and the first ones of each text.
        order = np.argsort(says, kind="stable")
        says, text = says[order], text[order]
        new = np.diff(says, prepend=~says[:1]) != 0
        once = new | (np.diff(text, prepend=-1) != 0)
        says, text, order, phrase = says[once], text[once], order[once], np.cumsum(new)[once]
        told = np.bincount(phrase)[phrase] <= TEXTS_OF_A_PHRASE
        low, high = _SIEVE_BITS
        sieve = np.zeros(1 << min(max((_SIEVE_WIDTH * len(says)).bit_length(), low), high), np.bool_)
        sieve[_high_bits(says[told], sieve)] = True
        count = np.bincount(text, minlength=len(self.shingles))
        return Ngrams(says[told], text[told], word[order[told]], count, sieve)


def _high_bits(says: Hashes, sieve: Flags) -> Hashes:
    return says >> np.uint64(65 - len(sieve).bit_length())
