"""MinHash: short signatures of sets of runs, and the pairs of texts whose signatures say that they may be alike."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

from rc_pipeline.overlaps.words import Runs, distinct_pairs, located, spread
from rc_pipeline.passages.units import Hashes

Signatures = npt.NDArray[np.uint32]
# Texts count as alike from this share of common runs (Jaccard) on.
NEAR = 0.8
PERMUTATIONS = 128
# A pair at the threshold shares one of 25 bands of 5 with a probability of 0.99995.
BANDS, BAND_ROWS = 25, 5
SEED = 1
TEXTS_AT_ONCE, PAIRS_AT_ONCE = 512, 50_000
_MIX = np.uint64(0x9E3779B97F4A7C15)


def signatures(runs: Runs) -> Signatures:
    """Return a signature for each text: the share of equal places of two estimates how alike they are."""
    found = np.empty((len(runs.first) - 1, PERMUTATIONS), np.uint32)
    for at in range(0, len(found), TEXTS_AT_ONCE):
        first = runs.first[at : at + TEXTS_AT_ONCE + 1]
        says = np.ascontiguousarray(runs.says[first[0] : first[-1]])
        places = (first - first[0]).astype(np.uint64)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(says, places, PERMUTATIONS, SEED)
        found[at : at + TEXTS_AT_ONCE] = matrix.to_rows()
    return found


def band_keys(found: Signatures) -> Hashes:
    """Return a number for each band of each signature, equal only for equal bands of the same place."""
    parts = found[:, : BANDS * BAND_ROWS].reshape(-1, BANDS, BAND_ROWS).astype(np.uint64)
    keys = np.broadcast_to(np.arange(BANDS, dtype=np.uint64) * _MIX, parts.shape[:2])
    for row in range(BAND_ROWS):
        keys = (keys ^ parts[..., row]) * _MIX
        keys = keys ^ (keys >> np.uint64(29))
    return keys


class Bands:
    """The signatures that others are compared with, by band."""

    def __init__(self, found: Signatures) -> None:
        self._signatures = found
        keys = band_keys(found).ravel()
        order = np.argsort(keys, kind="stable")
        self._keys, self._owner = keys[order], order // BANDS

    def near(self, others: Signatures, least: float) -> Iterator[tuple[int, int]]:
        """Yield (other, own) of each pair that shares a band and is estimated to be at least that alike."""
        which, begin, counts = located(self._keys, band_keys(others).ravel())
        cuts = np.flatnonzero(np.diff(np.cumsum(counts) // PAIRS_AT_ONCE)) + 1
        for part in np.split(np.arange(len(which)), cuts):
            key, place = spread(which[part], begin[part], counts[part])
            other, own = distinct_pairs(key // BANDS, self._owner[place])
            alike = agreement(others[other], self._signatures[own]) >= least
            yield from zip(other[alike].tolist(), own[alike].tolist(), strict=True)


def agreement(left: Signatures, right: Signatures) -> npt.NDArray[np.float64]:
    """Return the share of places in which the signatures of each pair agree."""
    shares: npt.NDArray[np.float64] = (left == right).mean(axis=1)
    return shares
