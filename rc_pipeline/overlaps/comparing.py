"""Training rows beside the texts of an evaluation set, some at a time; the best find of each text is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from rc_pipeline.overlaps.asked import Asked, pieces
from rc_pipeline.overlaps.sketches import NEAR, signatures
from rc_pipeline.overlaps.texts import PASSAGE, Content
from rc_pipeline.overlaps.words import BETWEEN, Words, distinct_pairs, ngram_end, ngrams, read_words, shingles
from rc_pipeline.passages.units import Hashes, Ints

SAME_PASSAGE, SAME_QUESTION, NGRAMS, NEARLY = "same_passage", "same_question", "shared_ngrams", "near_duplicate"
KINDS = (SAME_PASSAGE, SAME_QUESTION, NGRAMS, NEARLY)
SHOWN_CHARACTERS = 200
# What is shown of a text begins this much before what it shares.
_BEFORE = 40
# An estimate is off by less than five standard errors of 128 places.
_SLACK = 0.18


@dataclass(frozen=True)
class Find:
    """The training row that shares most with a text: how much, what, and how both say it."""

    similarity: float
    row_id: str
    shared: str
    asked: str
    taught: str


@dataclass(frozen=True)
class _Taught:
    """Some training texts, and the rows that each is of."""

    row_ids: list[str]
    part: str
    words: Words


@dataclass
class Comparison:
    """What was found so far, by kind and by text; of equal finds the first stays."""

    asked: Asked
    rows: int = 0
    finds: dict[str, dict[int, Find]] = field(default_factory=lambda: {kind: {} for kind in KINDS})

    def compare(self, batch: pl.DataFrame, content: Content) -> None:
        """Compare training rows with all texts."""
        row_ids = batch["row_id"].to_list()
        for part, begin, words in pieces(batch, content):
            taught = _Taught(row_ids[begin : begin + len(words.texts)], part, words)
            self._same(taught)
            self._ngrams(taught)
            self._near(taught)
        self.rows += batch.height

    def _same(self, taught: _Taught) -> None:
        finds = self.finds[SAME_PASSAGE if taught.part == PASSAGE else SAME_QUESTION]
        for at, whole in enumerate(taught.words.whole.tolist()):
            text = self.asked.number.get((taught.part, whole))
            if text is not None and text not in finds:
                finds[text] = self._alike(1.0, text, taught, at)

    def _ngrams(self, taught: _Taught) -> None:
        runs, known, finds = ngrams(taught.words), self.asked.ngrams, self.finds[NGRAMS]
        run, place = known.found(runs.says)
        if not len(run):
            return
        # What a training text says twice counts once.
        at, place = distinct_pairs(np.searchsorted(runs.first, run, "right") - 1, place)
        text = known.text[place]
        order = np.lexsort((known.word[place], at, text))
        at, place, text = at[order], place[order], text[order]
        begin = np.flatnonzero((np.diff(text, prepend=-1) != 0) | (np.diff(at, prepend=-1) != 0))
        many = np.diff(begin, append=len(text))
        best = np.lexsort((at[begin], -many, text[begin]))
        for pair in best[np.unique(text[begin][best], return_index=True)[1]]:
            first, number = begin[pair], int(text[begin[pair]])
            similarity = int(many[pair]) / int(known.count[number])
            if number not in finds or similarity > finds[number].similarity:
                shared = place[first : first + many[pair]]
                finds[number] = self._stretch(similarity, number, shared, taught, int(at[first]))

    def _near(self, taught: _Taught) -> None:
        runs, finds = shingles(taught.words), self.finds[NEARLY]
        for at, text in self.asked.bands.near(signatures(runs), NEAR - _SLACK):
            best = finds[text].similarity if text in finds else 0.0
            if best == 1.0 or self.asked.part[text] != taught.part:
                continue
            similarity = _jaccard(self.asked.shingles[text], runs.says[runs.first[at] : runs.first[at + 1]])
            if similarity >= NEAR and similarity > best:
                finds[text] = self._alike(similarity, text, taught, at)

    def _alike(self, similarity: float, text: int, taught: _Taught, at: int) -> Find:
        asked = _around(self.asked.texts[text], 0)
        return Find(similarity, taught.row_ids[at], asked, asked, _around(taught.words.texts[at], 0))

    def _stretch(self, similarity: float, text: int, shared: Ints, taught: _Taught, at: int) -> Find:
        """Return the find with the longest stretch of shared runs that follow one another."""
        known = self.asked.ngrams
        asked, words = (read_words([whole]) for whole in (self.asked.texts[text], taught.words.texts[at]))
        stretches = np.split(shared, np.flatnonzero(np.diff(known.word[shared]) != 1) + 1)
        first, last = max(stretches, key=len)[[0, -1]]
        start, end = int(asked.start[known.word[first]]), int(asked.end[ngram_end(asked, known.word[last]) - 1])
        runs = ngrams(words)
        there = runs.word[np.argmax(runs.says == known.says[first])]
        return Find(
            similarity,
            taught.row_ids[at],
            asked.texts[0][start:end][:SHOWN_CHARACTERS],
            _around(asked.texts[0], start),
            _around(words.texts[0], int(words.start[there])),
        )


def _around(text: str, at: int) -> str:
    begin = max(0, at - _BEFORE)
    return ("…" if begin else "") + text[begin : begin + SHOWN_CHARACTERS].replace(BETWEEN, "/")


def _jaccard(left: Hashes, right: Hashes) -> float:
    """Return the share of common runs; `left` is sorted and holds each once."""
    right = np.unique(right)
    common = len(np.intersect1d(left, right, assume_unique=True))
    return common / (len(left) + len(right) - common)
