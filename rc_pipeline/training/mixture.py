"""How many rows each dataset gives to a mixture: counts, shares of the whole, or sizes tempered."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

Asked = int | str | None


def mixture(
    available: Mapping[str, int], asked: Mapping[str, Asked], *, rows: int | None, temperature: float
) -> dict[str, int]:
    """Return the rows to take of each dataset: as many as there are in the proportions asked for, `rows` at most.

    A number is that many rows, None all of them, and "25%" a quarter of the whole mixture. With a
    temperature t, a dataset of n rows counts as n ** (1 / t): above 1 the small ones weigh more.
    """
    sizes = {name: _size(available[name], asked[name]) for name in sorted(asked)}
    shares = {name: share for name in sizes if (share := _share(asked[name])) is not None}
    counted = {name: size for name, size in sizes.items() if name not in shares}
    if temperature != 1:
        shares = _tempered(sizes, temperature)
        counted = {}
    rest = 1 - sum(shares.values(), Fraction(0))
    if counted and rest > 0:
        whole = Fraction(sum(counted.values()))
        shares |= {name: rest * size / whole if whole else Fraction(0) for name, size in counted.items()}
    most = min((sizes[name] / share for name, share in shares.items() if share), default=Fraction(0))
    total = most if rows is None else min(most, Fraction(rows))
    return _rounded({name: shares[name] * total for name in sizes}, sizes)


def _size(available: int, asked: Asked) -> int:
    return min(available, asked) if isinstance(asked, int) else available


def _share(asked: Asked) -> Fraction | None:
    return Fraction(asked.removesuffix("%")) / 100 if isinstance(asked, str) else None


def _tempered(sizes: Mapping[str, int], temperature: float) -> dict[str, Fraction]:
    weights = {name: Fraction(size ** (1 / temperature)) for name, size in sizes.items()}
    whole = sum(weights.values(), Fraction(0))
    return {name: weight / whole if whole else Fraction(0) for name, weight in weights.items()}


def _rounded(exact: Mapping[str, Fraction], sizes: Mapping[str, int]) -> dict[str, int]:
    """Round so that the sum is kept: the largest remainders go up."""
    taken = {name: int(value) for name, value in exact.items()}
    missing = round(sum(exact.values(), Fraction(0))) - sum(taken.values())
    for name in sorted(exact, key=lambda name: (taken[name] - exact[name], name))[:missing]:
        taken[name] = min(taken[name] + 1, sizes[name])
    return taken
