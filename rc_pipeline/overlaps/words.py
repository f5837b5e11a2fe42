"""What texts say, in arrays: their words without case, punctuation and white space, and runs of words as numbers.

A character of a script that is written without spaces counts as half a word, so that thirteen words
are as specific in Chinese as they are in English.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rc_pipeline.passages.units import GLYPH, WORD, Flags, Hashes, Ints, read_units, spans_hash

# Runs of this many words are looked for; Brown et al. (2020, appendix C) look for 8 to 13.
NGRAM_WORDS = 13
SHINGLE_WORDS = 3
# What stands between the columns of one text: no run of thirteen words goes from one into the next by chance.
BETWEEN = "\N{SYMBOL FOR RECORD SEPARATOR}"
# Punctuation that means something where it stands: 5 * 3 is not 5 / 3.
_TELLING = "+*/%=<>|~#&@$^"


@dataclass(frozen=True)
class Words:
    """The words of several texts, one after another; `first[i]` is the first word of text i.

    `whole` says all that a text says, signs such as + and € included, and is 0 where it says nothing.
    `column` counts the columns before each word, `halves` the half-words (and, at its end, all of them).
    """

    texts: list[str]
    whole: Hashes
    first: Ints
    start: Ints
    end: Ints
    says: Hashes
    column: Ints
    halves: Ints


@dataclass(frozen=True)
class Runs:
    """Runs of words as numbers: `says[first[i] : first[i + 1]]` are those of text i, each from the word `word`."""

    says: Hashes
    first: Ints
    word: Ints


def read_words(texts: Sequence[str]) -> Words:
    """Read texts; compatible forms of characters (NFKC) and cases of letters are one."""
    composed = [text if text.isascii() else unicodedata.normalize("NFKC", text) for text in texts]
    units = read_units(composed)
    is_word = (units.kind == WORD) | (units.kind == GLYPH)
    told = is_word.copy()
    told[~is_word] = _holds(_telling_signs(), units.says[~is_word])
    first = np.searchsorted(np.flatnonzero(told), units.first)
    words = np.flatnonzero(is_word)
    halves = np.where(units.kind[words] == GLYPH, 1, 2)
    return Words(
        texts=composed,
        whole=spans_hash(units.says[told], first[:-1], np.diff(first)),
        first=np.searchsorted(words, units.first),
        start=units.start[words],
        end=units.end[words],
        says=units.says[words],
        column=np.cumsum(units.says == _between())[words],
        halves=np.concatenate(([0], np.cumsum(halves))),
    )


def ngrams(words: Words) -> Runs:
    """Return the runs of thirteen words of each text, each within a column; a shorter text has none."""
    runs = _runs(words, NGRAM_WORDS)
    inside = words.column[runs.word] == words.column[_ends(words, runs.word, NGRAM_WORDS) - 1]
    return Runs(runs.says[inside], np.searchsorted(runs.word[inside], words.first), runs.word[inside])


def shingles(words: Words) -> Runs:
    """Return the runs of three words of each text; a text of fewer than thirteen words is one run.

    In so few words, one other word asks for something else: such texts are alike only where they say the same.
    """
    runs = _runs(words, SHINGLE_WORDS)
    text = np.repeat(np.arange(len(words.texts)), np.diff(runs.first))
    whole = np.diff(words.halves[words.first]) < 2 * NGRAM_WORDS
    short = np.flatnonzero(whole & (words.whole != 0))
    kept = np.flatnonzero(~whole[text])
    order = np.argsort(np.concatenate((text[kept], short)), kind="stable")
    text = np.concatenate((text[kept], short))[order]
    return Runs(
        says=np.concatenate((runs.says[kept], words.whole[short]))[order],
        first=np.searchsorted(text, np.arange(len(words.texts) + 1)),
        word=np.concatenate((runs.word[kept], words.first[short]))[order],
    )


def _runs(words: Words, length: int) -> Runs:
    """Return from each word the shortest run of at least that many words, if its text has as many."""
    begin = np.arange(len(words.says))
    stop = _ends(words, begin, length)
    text = np.repeat(np.arange(len(words.texts)), np.diff(words.first))
    begin = begin[stop <= words.first[text + 1]]
    return Runs(
        says=spans_hash(words.says, begin, stop[begin] - begin),
        first=np.searchsorted(begin, words.first),
        word=begin,
    )


def ngram_end(words: Words, begin: int) -> int:
    """Return where the run of thirteen words ends that begins with a word."""
    return int(_ends(words, np.array([begin]), NGRAM_WORDS)[0])


def _ends(words: Words, begin: Ints, length: int) -> Ints:
    ends: Ints = np.searchsorted(words.halves, words.halves[begin] + 2 * length)
    return ends


def located(keys: Hashes, wanted: Hashes) -> tuple[Ints, Ints, Ints]:
    """Return which of `wanted` are among the sorted `keys`, the place of the first such key, and how many there are."""
    if not len(keys):
        return (np.zeros(0, np.int64),) * 3
    # Sorted, so that looking up goes through memory once.
    which = np.argsort(wanted)
    begin = np.searchsorted(keys, wanted[which])
    held = keys[np.minimum(begin, len(keys) - 1)] == wanted[which]
    which, begin = which[held], begin[held]
    return which, begin, np.searchsorted(keys, wanted[which], "right") - begin


def spread(which: Ints, begin: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """Return (which, place) of every place that was located."""
    run = np.repeat(np.arange(len(which)), counts)
    return which[run], np.arange(len(run)) - np.repeat(np.cumsum(counts) - counts, counts) + begin[run]


def distinct_pairs(left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """Return each pair once, sorted."""
    width = int(right.max(initial=0)) + 1
    left, right = np.divmod(np.unique(left * width + right), width)
    return left, right


def _holds(keys: Hashes, wanted: Hashes) -> Flags:
    held: Flags = keys[np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)] == wanted
    return held


@lru_cache(maxsize=1)
def _between() -> np.uint64:
    return np.uint64(read_units([BETWEEN]).says[0])


@lru_cache(maxsize=1)
def _telling_signs() -> Hashes:
    """Return what the signs say that are no punctuation: of mathematics, currencies, emoji."""
    signs = (chr(code) for code in range(0x80, sys.maxunicode + 1))
    kept = [sign for sign in signs if unicodedata.category(sign) in ("Sm", "Sc", "So")]
    return np.unique(read_units([" ".join((*_TELLING, *kept))]).says)
