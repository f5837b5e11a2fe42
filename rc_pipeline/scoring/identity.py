"""Does a model say who it is? The facts that the right answer states, looked for in what it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def judge(asked: pl.DataFrame, facts: Sequence[str]) -> pl.DataFrame:
    """Return `identity_recall`: the share of the right answer's facts that an answer has, null where it has none."""
    import polars as pl

    known = {_folded(fact) for fact in facts}
    values = []
    for said, golds in asked.select("answer", "gold_answers").iter_rows():
        expected = [fact for fact in known if any(fact in _folded(gold) for gold in golds)]
        told = _folded(said or "")
        values.append(sum(fact in told for fact in expected) / len(expected) if expected else None)
    return pl.DataFrame({"identity_recall": pl.Series(values, dtype=pl.Float64)})


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
