"""How far a score may be trusted: percentile bootstrap intervals that come out the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 2_000
CONFIDENCE = 0.95
# Whole numbers add up to the same sum in any order and on any processor; floats do not.
UNITS = 1_000_000_000
DRAWS_AT_ONCE = 4_000_000
# Up to here a product of floats that are whole numbers is exact, and many times as fast as one of integers.
EXACT = 2**53


@dataclass(frozen=True)
class Interval:
    """A value and the bounds that hold 95 % of the values of resampled questions."""

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
    units = in_units(np.asarray(values, dtype=np.float64))
    sums = resampled_sums(units[:, None], seed=seed, resamples=resamples, at_once=at_once)
    scale = n * UNITS
    low, high = bounds(sums[:, 0] / scale)
    return Interval(value=int(units.sum()) / scale, low=low, high=high, n=n)


def in_units(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return values as whole numbers of billionths."""
    import numpy as np

    return np.rint(values * UNITS).astype(np.int64)


def resampled_sums(
    parts: NDArray[np.int64],
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    *,
    seed: int,
    resamples: int = RESAMPLES,
    at_once: int = DRAWS_AT_ONCE,
) -> NDArray[np.int64]:
    """Return the sums of the columns over each resample, all columns over the same draws.

    Rows of one cluster are drawn together: questions about one passage, or asked of several documents, are
    answered alike, and an interval that took them for independent would be too narrow.
    """
    import numpy as np

    if clusters is not None:
        _, which = np.unique(np.asarray(clusters), return_inverse=True)
        whole = np.zeros((int(which.max()) + 1, parts.shape[1]), np.int64)
        np.add.at(whole, which, parts)
        parts = whole
    n = len(parts)
    largest = int(np.abs(parts).max(initial=0)) * n
    numbers = parts.astype(np.float64) if largest < EXACT else parts
    generator = np.random.Generator(np.random.PCG64(seed))
    sums = np.empty((resamples, parts.shape[1]), dtype=np.int64)
    step = max(1, at_once // n)
    for start in range(0, resamples, step):
        rows = min(resamples, start + step) - start
        drawn = generator.integers(0, n, size=(rows, n), dtype=np.int64)
        drawn += np.arange(0, rows * n, n)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        sums[start : start + rows] = times.astype(numbers.dtype) @ numbers
    return sums


def bounds(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the bounds that leave out as many resampled values below as above."""
    import numpy as np

    ordered = np.sort(values)
    outside = round(len(ordered) * (1 - CONFIDENCE) / 2)
    return float(ordered[outside]), float(ordered[-1 - outside])
