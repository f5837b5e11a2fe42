"""How far a score may be trusted: percentile bootstrap intervals that come out the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 2_000
CONFIDENCE = 0.95
# Whole numbers add up to the same sum in any order and on any processor; floats do not.
UNITS = 1_000_000_000
DRAWS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Interval:
    """A mean and the bounds that hold 95 % of the means of resampled questions."""

    value: float
    low: float
    high: float
    n: int


def bootstrap(
    values: Sequence[float], *, seed: int, resamples: int = RESAMPLES, at_once: int = DRAWS_AT_ONCE
) -> Interval:
    """Return the mean of the values with its percentile bootstrap interval.

    `at_once` bounds the memory (draws held at a time) and has no effect on the result.
    """
    import numpy as np

    n = len(values)
    if n == 0:
        raise ValueError("no values to take the mean of: an interval needs at least one scored question")
    units = np.rint(np.asarray(values, dtype=np.float64) * UNITS).astype(np.int64)
    generator = np.random.Generator(np.random.PCG64(seed))
    sums = np.empty(resamples, dtype=np.int64)
    step = max(1, at_once // n)
    for start in range(0, resamples, step):
        stop = min(resamples, start + step)
        drawn = generator.integers(0, n, size=(stop - start, n), dtype=np.int64)
        sums[start:stop] = units[drawn].sum(axis=1)
    sums.sort()
    outside = round(resamples * (1 - CONFIDENCE) / 2)
    scale = n * UNITS
    return Interval(
        value=int(units.sum()) / scale,
        low=int(sums[outside]) / scale,
        high=int(sums[resamples - 1 - outside]) / scale,
        n=n,
    )
