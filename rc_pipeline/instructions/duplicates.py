"""Rows of a training set that say what another row says already, exactly or nearly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

from rc_pipeline.overlaps.sketches import (
    BANDS,
    NEAR,
    PAIRS_AT_ONCE,
    Signatures,
    agreement,
    band_keys,
    signatures,
)
from rc_pipeline.overlaps.words import Runs, Words, read_words, shingles
from rc_pipeline.passages.units import Hashes, Ints

DUPLICATE, NEAR_DUPLICATE = "duplicate", "near_duplicate"
ROWS_AT_ONCE = 512
# Of a crowd that shares a band, each row is compared with the first ones only: one of them is kept.
FIRST_OF_A_BAND = 8
_MIX = np.uint64(0xD6E8FEB86659FD93)


class Duplicate(NamedTuple):
    """Why a row is one too many: how it repeats which row that is kept, and how alike the two are."""

    kind: str
    kept: str
    similarity: float


def find_duplicates(batches: Iterable[pl.DataFrame], *, near: bool) -> dict[str, Duplicate]:
    """Return the rows that repeat another one, of which the first in `order` is kept.

    A batch has `row_id`, `order` and any columns of text. Rows repeat each other exactly if every text
    does (case, punctuation and white space aside), and nearly if every text is alike: two questions about
    one passage are two rows, and so are two answers to one question. Rows without words repeat nothing.
    """
    row_ids: list[str] = []
    orders, wholes = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]
    sketches = _Sketches()
    for batch in batches:
        for part in batch.iter_slices(ROWS_AT_ONCE):
            texts = [read_words(column.to_list()) for column in part.drop("row_id", "order").iter_columns()]
            row_ids += part["row_id"].to_list()
            orders.append(part["order"].to_numpy())
            wholes.append(_whole(texts))
            if near:
                sketches.add(texts)
    whole = np.concatenate(wholes)
    ranked = np.argsort(np.concatenate(orders), kind="stable")
    ranked = ranked[whole[ranked] != 0]
    _, first, which = np.unique(whole[ranked], return_index=True, return_inverse=True)
    kept = ranked[first[which]]
    pairs = zip(ranked[ranked != kept].tolist(), kept[ranked != kept].tolist(), strict=True)
    found = {row_ids[row]: Duplicate(DUPLICATE, row_ids[of], 1.0) for row, of in pairs}
    if near:
        repeats = sketches.repeats(ranked[ranked == kept])
        found |= {row_ids[row]: Duplicate(NEAR_DUPLICATE, row_ids[of], share) for row, of, share in repeats}
    return found


def _whole(texts: list[Words]) -> Hashes:
    """Return what all texts of each row say, 0 where that is nothing."""
    said = np.zeros(len(texts[0].texts), np.uint64)
    for text in texts:
        said = (said ^ (said >> np.uint64(29))) * _MIX + text.whole
    return said


class _Sketches:
    """A signature for each text of each row, and the bands of all texts of a row together.

    Where every text of two rows is alike, so are all of them together.
    """

    def __init__(self) -> None:
        self._signatures: list[list[Signatures]] = []
        self._bands: list[Hashes] = []

    def add(self, texts: list[Words]) -> None:
        """Take the next rows."""
        runs = [shingles(text) for text in texts]
        self._signatures.append([signatures(one) for one in runs])
        self._bands.append(band_keys(signatures(_joined(runs))))

    def repeats(self, rows: Ints) -> Iterator[tuple[int, int, float]]:
        """Yield (row, the kept one that it is most like, how much) of those of `rows` that repeat one before them."""
        if not len(rows):
            return
        texts = [np.concatenate(parts) for parts in zip(*self._signatures, strict=True)]
        bands = np.concatenate(self._bands)[rows]
        found: dict[tuple[int, int], float] = {}
        for band in range(BANDS):
            for late, early in _pairs(bands[:, band]):
                shares = np.min([agreement(text[rows[late]], text[rows[early]]) for text in texts], axis=0)
                alike = shares >= NEAR
                pairs = zip(late[alike].tolist(), early[alike].tolist(), strict=True)
                found |= dict(zip(pairs, shares[alike].tolist(), strict=True))
        dropped: set[int] = set()
        for row, of in sorted(found, key=lambda pair: (pair[0], -found[pair], pair[1])):
            if row not in dropped and of not in dropped:
                dropped.add(row)
                yield int(rows[row]), int(rows[of]), found[row, of]


def _joined(parts: list[Runs]) -> Runs:
    """Return the runs of all texts of each row, those of different parts told apart."""
    row = np.concatenate([np.repeat(np.arange(len(part.first) - 1), np.diff(part.first)) for part in parts])
    tags = np.arange(len(parts), dtype=np.uint64) * _MIX
    says = np.concatenate([part.says ^ tag for part, tag in zip(parts, tags, strict=True)])
    order = np.argsort(row, kind="stable")
    return Runs(says[order], np.searchsorted(row[order], np.arange(len(parts[0].first))), row[order])


def _pairs(keys: Hashes) -> Iterator[tuple[Ints, Ints]]:
    """Yield (place, place before it) of equal keys, some at a time."""
    order = np.argsort(keys, kind="stable")
    place = np.arange(len(keys))
    first = np.maximum.accumulate(np.where(np.diff(keys[order], prepend=~keys[order[:1]]) != 0, place, 0))
    for step in range(FIRST_OF_A_BAND):
        late = np.flatnonzero(place - first > step)
        for at in range(0, len(late), PAIRS_AT_ONCE):
            part = late[at : at + PAIRS_AT_ONCE]
            yield order[part], order[first[part] + step]
