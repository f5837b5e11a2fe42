"""How much better one run is than another on the very same questions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rc_pipeline.reporting.scoreboard import Column, Scoreboard

if TYPE_CHECKING:
    import polars as pl

# Two-sided 95 % of the normal distribution.
Z = 1.959964


@dataclass(frozen=True)
class Difference:
    """After minus before in percentage points, with a 95 % interval where single questions can be compared."""

    value: float
    low: float | None = None
    high: float | None = None
    better: int | None = None
    worse: int | None = None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:+.1f}"
        return f"{self.value:+.1f} [{self.low:+.1f}, {self.high:+.1f}]"


def difference(board: Scoreboard, before: str, after: str, column: Column) -> Difference | None:
    """Compare two runs; paired by question, so the interval is narrower than two separate ones suggest."""
    first, second = board.scores.get((before, column)), board.scores.get((after, column))
    if first is None or second is None or first.value is None or second.value is None:
        return None
    files = [board.questions.get((run, column.eval_set)) for run in (before, after)]
    if files[0] is None or files[1] is None or first.n != second.n:
        return Difference(second.value - first.value)
    return _paired(files[0], files[1], "f1" if column.metric == "f1" else "correct")


def _paired(before: Path, after: Path, verdict: str) -> Difference | None:
    # In order, so that a sum of floats comes out the same every time.
    pairs = _verdicts(before, verdict).join(
        _verdicts(after, verdict), on="instruction_id", how="inner", maintain_order="left"
    )
    if pairs.is_empty():
        return None
    gains = (pairs[f"{verdict}_right"] - pairs[verdict]).to_list()
    n = len(gains)
    mean = sum(gains) / n
    half = Z * (sum((gain - mean) ** 2 for gain in gains) / n / n) ** 0.5
    signs = Counter((gain > 0) - (gain < 0) for gain in gains)
    return Difference(100 * mean, 100 * (mean - half), 100 * (mean + half), better=signs[1], worse=signs[-1])


def _verdicts(path: Path, verdict: str) -> pl.DataFrame:
    import polars as pl

    return pl.read_parquet(path).sort("instruction_id").select("instruction_id", pl.col(verdict).cast(pl.Float64))
