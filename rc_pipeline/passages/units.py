"""Texts as arrays of words and signs: where each stands, how many tokens it may cost, what it says.

Everything is done for many texts at once, in arrays: there is never a Python object for a word.
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.signedinteger[Any]]
Hashes = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

# Runs of an odd kind are one unit; of an even kind every character is one. A letter of a script that
# is written without spaces is a GLYPH.
SPACE, NEWLINE, PUNCTUATION, WORD, SIGN, GLYPH = 0, 1, 2, 3, 4, 6
# What the official scorer of TriviaQA turns into a space; other signs it keeps.
SEPARATORS = string.punctuation + "‘’´`"
ARTICLES = ("a", "an", "the")
# How a sentence ends: with a mark and a space, with a mark alone, and what may close right behind either.
MARKS = (".!?…", "。！？；", "\"')]}»”’」』）】》")
END, FULL_END, CLOSER = 1, 2, 3
LETTERS_A_TOKEN = 5
# Longer runs are cut, always at the same places, so that a unit fits into the smallest budget.
LONGEST_WORD = 16
# Thai to Burmese, Khmer, kana, ideographs; those beyond the first 2^17 characters count by default.
_UNSPACED = ((0x0E00, 0x10A0), (0x1780, 0x1800), (0x2E80, 0x3000), (0x3040, 0x3130), (0x3190, 0xA4D0), (0xF900, 0xFB00))
_CASED_BELOW = 0x20000
_KIND_BIT, _COST_BIT, _MARK_BIT = np.uint32(28), np.uint32(23), np.uint32(21)
_LOWER = np.uint32((1 << 21) - 1)
_BASE = 0x9E3779B97F4A7C15
_MIX = np.uint64(0xD6E8FEB86659FD93)


@dataclass(frozen=True)
class Units:
    """The units of several texts, one after another; `first[i]` is the first unit of text i.

    `start` and `end` are places in the text that a unit belongs to, `tokens` counts the estimated
    tokens before each unit (and, at its end, all of them).
    """

    first: Ints
    text: Ints
    start: Ints
    end: Ints
    kind: npt.NDArray[np.uint8]
    mark: npt.NDArray[np.uint8]
    capital: Flags
    says: Hashes
    tokens: Ints


def read_units(texts: Sequence[str]) -> Units:
    """Split texts into words, signs and line ends."""
    codes = np.frombuffer("\0".join((*texts, "")).encode("utf-32-le", "surrogatepass"), np.uint32)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    offsets = np.concatenate(([0], np.cumsum(lengths + 1)))
    facts = np.take(_facts(), codes)
    kind = (facts >> _KIND_BIT).astype(np.uint8)
    inside = (kind[1:] == kind[:-1]) & (kind[1:] & 1).view(np.bool_)
    begins, stops = kind != SPACE, kind != SPACE
    begins[1:] &= ~inside
    stops[:-1] &= ~inside
    starts, ends = _long_words_cut(np.flatnonzero(begins), np.flatnonzero(stops) + 1)
    weights = np.cumsum((facts >> _COST_BIT).astype(np.uint8) & 31, dtype=np.int32)
    fifths = weights[ends - 1] - np.where(starts > 0, weights[starts - 1], 0)
    cost = (fifths + LETTERS_A_TOKEN - 1) // LETTERS_A_TOKEN
    first = np.searchsorted(starts, offsets)
    text = np.repeat(np.arange(len(texts)), np.diff(first))
    return Units(
        first=first,
        text=text,
        start=starts - offsets[text],
        end=ends - offsets[text],
        kind=kind[starts],
        mark=(facts[starts] >> _MARK_BIT).astype(np.uint8) & np.uint8(3),
        capital=facts[starts] & _LOWER != codes[starts],
        says=_hashes(facts, starts, ends),
        tokens=np.concatenate(([0], np.cumsum(cost, dtype=np.int64))),
    )


def estimate_tokens(texts: Sequence[str]) -> list[int]:
    """Return about how many tokens a language model makes of each text, rather more than fewer.

    A Latin word counts a token for every five letters or part of them, and line ends in a row likewise;
    a digit, a sign, an ideograph and a letter of another script count one each, an emoji three.
    """
    units = read_units(texts)
    return [int(tokens) for tokens in np.diff(units.tokens[units.first])]


def spans_hash(says: Hashes, starts: Ints, lengths: Ints) -> Hashes:
    """Return one number for each run of `lengths` units from `starts`, equal where the runs are."""
    power, inverse = _powers(len(says) + 1)
    before = np.zeros(len(says) + 1, np.uint64)
    np.cumsum(says * power[: len(says)], out=before[1:])
    found: Hashes = (before[starts + lengths] - before[starts]) * inverse[starts]
    return found


@lru_cache(maxsize=1)
def article_hashes() -> Hashes:
    """Return what the units say that the official scorer leaves out."""
    return read_units(ARTICLES).says


def _long_words_cut(starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    if not len(starts) or (ends - starts).max() <= LONGEST_WORD:
        return starts, ends
    pieces = -(-(ends - starts) // LONGEST_WORD)
    unit = np.repeat(np.arange(len(starts)), pieces)
    piece = np.arange(len(unit)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    cut = starts[unit] + piece * LONGEST_WORD
    return cut, np.minimum(cut + LONGEST_WORD, ends[unit])


def _hashes(facts: npt.NDArray[np.uint32], starts: Ints, ends: Ints) -> Hashes:
    """Return what each unit says as a number; upper and lower case say the same."""
    power, inverse = _powers(len(facts) + 1)
    before = np.zeros(len(facts) + 1, np.uint64)
    np.multiply(facts, power[: len(facts)], out=before[1:])
    np.cumsum(before, out=before)
    # Mixed, or two words in a row could say what two others say in their place.
    said = (before[ends] - before[starts]) * inverse[starts] * _MIX
    return (said ^ (said >> np.uint64(29))) * _MIX


def _powers(count: int) -> tuple[Hashes, Hashes]:
    """Return the powers of an odd base and of its inverse modulo 2^64, at least `count` of them."""
    return _power_tables(max(1 << 18, 1 << count.bit_length()))


@lru_cache(maxsize=4)
def _power_tables(count: int) -> tuple[Hashes, Hashes]:
    factors = np.full((2, count), [[_BASE], [pow(_BASE, -1, 2**64)]], np.uint64)
    factors[:, 0] = 1
    power, inverse = np.multiply.accumulate(factors, axis=1)
    return power, inverse


@lru_cache(maxsize=1)
def _facts() -> npt.NDArray[np.uint32]:
    """Return, for every character, its kind, its cost in fifths of a token, and its lower case."""
    table = np.arange(0x110000, dtype=np.uint32)
    kind = np.full(0x110000, GLYPH, np.uint32)
    cost = np.full(0x110000, 3 * LETTERS_A_TOKEN, np.uint32)
    cost[:0x10000] = LETTERS_A_TOKEN
    for code in range(_CASED_BELOW):
        table[code] = _lower(chr(code))
        kind[code] = _kind(chr(code))
    for low, high in _UNSPACED:
        kind[low:high] = np.where(kind[low:high] == WORD, GLYPH, kind[low:high])
    cost[[ord(letter) for letter in string.ascii_letters + "\n"]] = 1
    cost[kind == SPACE] = 0
    mark = np.zeros(0x110000, np.uint32)
    for number, signs in enumerate(MARKS, start=1):
        mark[list(map(ord, signs))] = number
    # The same facts for both cases, so that they hash alike.
    facts: npt.NDArray[np.uint32] = (
        table | (kind[table] << _KIND_BIT) | (cost[table] << _COST_BIT) | (mark << _MARK_BIT)
    )
    return facts


def _lower(character: str) -> int:
    lower = character.lower()
    # The small sigma that ends a word says the same as the other; "İ" lowers to two characters.
    return {"ς": ord("σ"), "İ": ord("i")}.get(character) or (ord(lower) if len(lower) == 1 else ord(character))


def _kind(character: str) -> int:
    if character == "\n":
        return NEWLINE
    if character in SEPARATORS:
        return PUNCTUATION
    if character.isspace() or unicodedata.category(character) in ("Cc", "Cf"):
        return SPACE
    return WORD if character.isalnum() or unicodedata.category(character).startswith("M") else SIGN
