"""Training rows that are never trained on: which they are, and what their loss says about going on."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from rc_pipeline.prompting.encoding import Encoded

# A run measures the loss so many times, evenly spread, the last time at its end.
EVALUATIONS = 10


class NothingToHoldOut(ValueError):
    """All rows belong to one group, which cannot be on both sides."""


@dataclass(frozen=True)
class HeldOut:
    """Examples to measure the loss on; with patience, the weights of the best evaluation are the run's."""

    examples: Sequence[Encoded] = ()
    patience: int | None = None

    def is_due(self, done: int, steps: int) -> bool:
        """Say whether the loss is measured after `done` of all steps."""
        return bool(self.examples) and done in {math.ceil(steps * k / EVALUATIONS) for k in range(1, EVALUATIONS + 1)}

    def is_best(self, evaluations: Sequence[tuple[int, float]]) -> bool:
        """Say whether the newest evaluation is better than all before it."""
        return self.patience is not None and best(evaluations) == evaluations[-1]

    def has_waited(self, evaluations: Sequence[tuple[int, float]]) -> bool:
        """Say whether the best evaluation is so far back that training should stop."""
        if self.patience is None or not evaluations:
            return False
        return len(evaluations) - 1 - evaluations.index(best(evaluations)) >= self.patience


def best(evaluations: Sequence[tuple[int, float]]) -> tuple[int, float]:
    """Return the (step, loss) of least loss, the first of equals."""
    return min(evaluations, key=lambda each: each[1])


def hold_out(rows: pl.DataFrame, share: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows to train on and those to measure on: of each dataset a share of the groups, never one in both.

    Which groups they are depends on their names alone, so that runs of other seeds are measured on the same rows.
    """
    import polars as pl

    ids = [pl.col(name) for name in ("group", "row_id") if name in rows.columns]
    dataset = pl.col("dataset") if "dataset" in rows.columns else pl.lit("")
    names = rows.select(dataset.fill_null("").alias("dataset"), pl.coalesce(ids).alias("group")).rows()
    chosen: set[tuple[str, str]] = set()
    for name in sorted({dataset for dataset, _ in names}):
        groups = sorted({pair for pair in names if pair[0] == name}, key=_drawn)
        chosen.update(groups[: math.ceil(share * len(groups) - 1e-9)])
    outside = [pair not in chosen for pair in names]
    if not any(outside):
        raise NothingToHoldOut(
            f"tune.eval_share {share:g}: of {len(names)} rows none is left to train on, since they belong to "
            f"{len(chosen)} groups that are not split. Train on more rows, or set eval_share to 0."
        )
    return rows.filter(outside), rows.filter([not each for each in outside])


def _drawn(pair: tuple[str, str]) -> bytes:
    return hashlib.sha256("\0".join(pair).encode()).digest()
