"""Whether a difference is more than chance, told the same on every machine."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What a two-sided test at 5 % finds with a chance of 80 %, in standard errors.
FOUND_FOUR_TIMES_IN_FIVE = 1.959964 + 0.841621


def mcnemar(gains: Iterable[int]) -> float:
    """Return the two-sided p of gains that are as likely to be losses: exact, one gain a cluster of questions.

    With one question a cluster it is McNemar's exact test; a cluster of several is turned as a whole.
    """
    import numpy as np

    found = [gain for gain in gains if gain]
    sizes = Counter(map(abs, found))
    # chances[i]: that clusters worth i questions are gains, and all others losses.
    chances = np.ones(1)
    for size, clusters in sizes.most_common():
        chances = _with_coins(chances, size, _fair_coins(clusters))
    surplus = np.abs(2 * np.arange(len(chances)) - (len(chances) - 1))
    return min(1.0, math.fsum(chances[surplus >= abs(sum(found))].tolist()))


def _fair_coins(coins: int) -> list[float]:
    """Return the chance of each number of heads."""
    weights = [1.0] * (coins + 1)
    # Outwards from the middle, where nothing is too small for a float.
    for heads in range(coins // 2, coins):
        weights[heads + 1] = weights[heads] * (coins - heads) / (heads + 1)
    for heads in range(coins // 2, 0, -1):
        weights[heads - 1] = weights[heads] * heads / (coins - heads + 1)
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def _with_coins(chances: NDArray[np.float64], size: int, heads: Sequence[float]) -> NDArray[np.float64]:
    """Return the chances of sums when coins worth `size` each are added."""
    import numpy as np

    added = np.zeros(len(chances) + size * (len(heads) - 1))
    if len(chances) == 1:
        added[::size] = heads
        return added
    for count, chance in enumerate(heads):
        if chance:
            added[count * size : count * size + len(chances)] += chance * chances
    return added


def bootstrap_p(observed: float, values: NDArray[np.float64]) -> float:
    """Return how often resampled differences lie as far from the observed one as that lies from none."""
    import numpy as np

    return (1 + int(np.count_nonzero(np.abs(values - observed) >= abs(observed)))) / (1 + len(values))


def holm(ps: Sequence[float]) -> list[float]:
    """Return Holm's corrected p of every test, in the order given."""
    corrected = [0.0] * len(ps)
    highest = 0.0
    for rank, at in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        highest = max(highest, min(1.0, ps[at] * (len(ps) - rank)))
        corrected[at] = highest
    return corrected


def detectable(gains: Iterable[float], n: int) -> float | None:
    """Return the smallest true difference that questions which scatter like these show in four cases of five.

    None where no question sets the two runs apart, which tells nothing of how others would.
    """
    scatter = math.sqrt(math.fsum(gain * gain for gain in gains))
    return FOUND_FOUR_TIMES_IN_FIVE * scatter / n if scatter else None
