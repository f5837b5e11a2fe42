"""What judgements come to: win rates, grades and the sway of the order, each with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rc_pipeline.judging.verdicts import INCONSISTENT, LOSS, TIE, UNREADABLE, WIN
from rc_pipeline.reporting.significance import mcnemar
from rc_pipeline.scoring.intervals import UNITS, Interval, bounds, in_units, resampled_sums

if TYPE_CHECKING:
    import polars as pl

# The point of a judge who turns with the order is halved, as that of one who sees no difference.
POINTS = {WIN: 1.0, TIE: 0.5, INCONSISTENT: 0.5, LOSS: 0.0}


@dataclass(frozen=True)
class Pairwise:
    """How the first run fares against the second."""

    outcomes: dict[str, int]
    same_answer: int
    win_rate: Interval | None
    sign_test_p: float | None
    inconsistent: Interval | None
    favours_first: int
    favours_second: int


@dataclass(frozen=True)
class Graded:
    """The grades of a run."""

    grades: dict[int, int]
    unreadable: int
    mean: Interval | None


def pairwise(rows: pl.DataFrame) -> Pairwise:
    """Count verdicts; several people's verdicts on one question count as one, their mean."""
    import polars as pl

    read = rows.filter(pl.col("outcome") != UNREADABLE)
    points = pl.col("outcome").replace_strict(POINTS, return_dtype=pl.Float64)
    each = read.group_by("key", "cluster").agg(points.mean().alias("points")).sort("key")
    told = pl.col("points") - 0.5
    gains = each.group_by("cluster").agg((told.sign()).sum().cast(pl.Int64))["points"].to_list()
    shown_twice = read.filter(pl.col("reply_swapped").is_not_null())
    turned = (shown_twice["outcome"] == INCONSISTENT).cast(pl.Float64)
    return Pairwise(
        outcomes={name: rows.filter(pl.col("outcome") == name).height for name in (*POINTS, UNREADABLE)},
        same_answer=rows.filter(pl.col("answer_a").str.strip_chars() == pl.col("answer_b").str.strip_chars()).height,
        win_rate=mean_of(each["points"].to_list(), each["cluster"].to_list()),
        sign_test_p=mcnemar(gains) if any(gains) else None,
        inconsistent=mean_of(turned.to_list(), shown_twice["cluster"].to_list()),
        favours_first=rows.filter(pl.col("favours") == "first").height,
        favours_second=rows.filter(pl.col("favours") == "second").height,
    )


def graded(rows: pl.DataFrame) -> Graded:
    """Count grades; several people's grades of one answer count as one, their mean."""
    import polars as pl

    read = rows.filter(pl.col("grade").is_not_null())
    each = read.group_by("key", "cluster").agg(pl.col("grade").cast(pl.Float64).mean()).sort("key")
    return Graded(
        grades={grade: read.filter(pl.col("grade") == grade).height for grade in range(1, 6)},
        unreadable=rows.filter(pl.col("outcome") == UNREADABLE).height,
        mean=mean_of(each["grade"].to_list(), each["cluster"].to_list()),
    )


def mean_of(values: Sequence[float], clusters: Sequence[str], seed: int = 0) -> Interval | None:
    """Return the mean with its interval, questions about one passage drawn together; None without values."""
    import numpy as np

    if not values:
        return None
    units = in_units(np.asarray(values, dtype=np.float64))
    sums = resampled_sums(np.stack([units, np.ones_like(units)], axis=1), list(clusters), seed=seed)
    value = int(units.sum()) / (len(values) * UNITS)
    low, high = bounds(sums[:, 0] / (sums[:, 1] * UNITS))
    return Interval(value, min(low, value), max(high, value), len(values))
