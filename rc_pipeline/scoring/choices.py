"""Answers that are one of several: by the option's place, or by its words where a task offers none."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

WAYS = ("letter", "likelihood", "written")


def judge(asked: pl.DataFrame) -> pl.DataFrame:
    """Return `accuracy`, and that of each way of choosing where a model was asked in several."""
    import polars as pl

    offered = asked["choices"].list.len() > 0
    columns = {"accuracy": _chosen(asked, "choice").zip_with(offered, said_in_words(asked))}
    ways = [way for way in WAYS if f"choice_{way}" in asked.columns and asked[f"choice_{way}"].count()]
    if len(ways) > 1:
        columns |= {f"accuracy_{way}": _chosen(asked, f"choice_{way}") for way in ways}
    return pl.DataFrame({name: right.cast(pl.Float64) for name, right in columns.items()})


def _chosen(asked: pl.DataFrame, column: str) -> pl.Series:
    return (asked[column] == asked["gold_label"]).fill_null(value=False)


def said_in_words(asked: pl.DataFrame) -> pl.Series:
    """Tell of each answer whether it is an accepted one word for word, but for case and white space."""
    import polars as pl

    told = [
        bool(said and said.strip()) and _folded(said) in map(_folded, golds)
        for said, golds in asked.select("answer", "gold_answers").iter_rows()
    ]
    return pl.Series(told, dtype=pl.Boolean)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
