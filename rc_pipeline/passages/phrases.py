"""What is looked for in the documents of a question: the terms that it asks with, and its answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from rc_pipeline.passages.units import (
    GLYPH,
    SIGN,
    WORD,
    Flags,
    Hashes,
    Ints,
    Units,
    article_hashes,
    read_units,
    spans_hash,
)

# The slot of a phrase that is an answer; terms have the slots from 0 on.
ANSWER = -1
MAX_TERMS = 32
# They say what is asked for and hardly stand in the text that tells it, so they would outweigh what counts.
ASKING = (
    *("what", "which", "who", "whom", "whose", "when", "where", "why", "how", "name"),
    *("什么", "哪个", "哪位", "哪里", "哪一", "谁", "多少", "几", "为何", "怎么"),
)
TEXTS_AT_ONCE = 10_000
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Phrases:
    """Runs of words: which question wants each, what its first word and all of it say, how many words it has."""

    question: Ints
    head: Hashes
    whole: Hashes
    length: Ints
    slot: Ints


def content(units: Units) -> Ints:
    """Return the units that comparing texts is about: no punctuation, no articles, as the official scorer does."""
    told = (units.kind == WORD) | (units.kind == SIGN) | (units.kind == GLYPH)
    for article in article_hashes():
        told &= units.says != article
    return np.flatnonzero(told)


def term_phrases(question: Ints, texts: pl.Series) -> Phrases:
    """Return the words of each question, and for text without spaces its pairs of neighbouring letters."""
    return joined(
        _terms(question[at : at + TEXTS_AT_ONCE], texts.slice(at, TEXTS_AT_ONCE).to_list())
        for at in range(0, len(texts), TEXTS_AT_ONCE)
    )


def _terms(question: Ints, texts: list[str]) -> Phrases:
    units = read_units(texts)
    kept = content(units)
    text, says, glyph = units.text[kept], units.says[kept], units.kind[kept] == GLYPH
    pair = _next_to(text, glyph, units.end[kept], units.start[kept])
    lonely = glyph & ~pair
    lonely[1:] &= ~pair[:-1]
    starts = np.flatnonzero((units.kind[kept] == WORD) | pair | lonely)
    length = 1 + pair[starts].astype(np.int64)
    found = _distinct(Phrases(text[starts], says[starts], spans_hash(says, starts, length), length, starts * 0))
    found = _only(found, ~np.isin(found.whole, _wholes(ASKING)))
    slot = np.arange(len(found.question)) - np.searchsorted(found.question, found.question)
    numbered = Phrases(question[found.question], found.head, found.whole, found.length, slot)
    return _only(numbered, slot < MAX_TERMS)


def answer_phrases(question: Ints, answers: pl.Series) -> Phrases:
    """Return accepted answers; one that is all articles or punctuation says nothing."""
    units = read_units(answers.to_list())
    kept = content(units)
    first = np.searchsorted(units.text[kept], np.arange(len(units.first)))
    length = np.diff(first)
    said = np.flatnonzero(length)
    says, first, length = units.says[kept], first[said], length[said]
    whole = spans_hash(says, first, length)
    # An alias and its normalised form say the same.
    return _distinct(Phrases(question[said], says[first], whole, length, np.full(len(said), ANSWER)))


def joined(parts: Iterable[Phrases]) -> Phrases:
    """Return the phrases of several, one after another, in little memory: there are millions."""
    columns = [
        (
            part.question.astype(np.int32),
            part.head,
            part.whole,
            part.length.astype(np.uint16),
            part.slot.astype(np.int8),
        )
        for part in parts
    ]
    if not columns:
        none, hashes = np.zeros(0, np.int64), np.zeros(0, np.uint64)
        return Phrases(none, hashes, hashes, none, none)
    return Phrases(*map(np.concatenate, zip(*columns, strict=True)))


def by_question(phrases: Phrases) -> Phrases:
    """Return the phrases sorted by question."""
    return _only(phrases, np.argsort(phrases.question, kind="stable"))


def _wholes(texts: Sequence[str]) -> Hashes:
    units = read_units(texts)
    return spans_hash(units.says, units.first[:-1], np.diff(units.first))


def _next_to(text: Ints, glyph: Flags, end: Ints, start: Ints) -> Flags:
    pair = np.zeros(len(text), np.bool_)
    pair[:-1] = glyph[1:] & glyph[:-1] & (text[1:] == text[:-1]) & (start[1:] == end[:-1])
    return pair


def _distinct(phrases: Phrases) -> Phrases:
    """Return each phrase of a question once, in order."""
    key = phrases.whole ^ (phrases.question.astype(np.uint64) * _MIX)
    return _only(phrases, np.sort(np.unique(key, return_index=True)[1]))


def _only(phrases: Phrases, kept: Ints | Flags) -> Phrases:
    return Phrases(
        phrases.question[kept], phrases.head[kept], phrases.whole[kept], phrases.length[kept], phrases.slot[kept]
    )
