"""Exact match and token F1 of many answers against many accepted ones, by whole columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

Normalise = Callable[[Sequence[str]], list[str]]


def match(
    said: pl.Series, accepted: pl.Series, normalise: Normalise, of: NDArray[np.integer] | None = None
) -> tuple[pl.Series, pl.Series]:
    """Return (exact, F1) of each answer, the best over the list of accepted answers that is its own.

    `of` has the place of that list for each answer, where several share one; the first goes with the first when
    left out. Null is no answer; no answer, or none accepted, is no match. Floats come out as one answer at a time
    would make them.
    """
    import numpy as np
    import polars as pl

    places = np.arange(len(said)) if of is None else of
    told = pl.DataFrame({"of": pl.Series(places, dtype=pl.UInt32), "text": said})
    gold = pl.DataFrame({"gold": accepted}).with_row_index("of").explode("gold").rename({"gold": "text"}).drop_nulls()
    texts = pl.concat([told["text"], gold["text"]]).drop_nulls().unique()
    normal = pl.Series("normal", normalise(texts.to_list()), dtype=pl.String)
    numbered = pl.DataFrame({"text": texts, "normal": normal.rank("dense")})
    asked = told.join(numbered, on="text", how="left", maintain_order="left").select("of", "normal")
    once = asked.drop_nulls().unique()
    gold = gold.join(numbered, on="text").select("of", "normal").unique()
    exact = once.join(gold, on=["of", "normal"], how="semi").with_columns(exact=True)
    scored = once.join(exact, on=["of", "normal"], how="left").join(
        _best_f1(once, gold, _tokens(normal)), on=["of", "normal"], how="left"
    )
    found = asked.join(scored, on=["of", "normal"], how="left", maintain_order="left")
    return found["exact"].fill_null(value=False), found["f1"].fill_null(0.0)


def _tokens(normal: pl.Series) -> pl.DataFrame:
    """Return (text, token, times, length): how often each text has each of its tokens, and how many it has."""
    import polars as pl

    distinct = pl.DataFrame({"normal": normal.rank("dense"), "token": normal}).unique()
    split = distinct.with_columns(pl.col("token").str.split(" ")).with_columns(length=pl.col("token").list.len())
    each = split.explode("token").filter(pl.col("token") != "")
    each = each.with_columns(pl.col("token").rank("dense"))
    return each.group_by("normal", "token", "length").len("times")


def _best_f1(once: pl.DataFrame, gold: pl.DataFrame, tokens: pl.DataFrame) -> pl.DataFrame:
    """Return (of, normal, f1) of the answers that share a token with an accepted one."""
    import polars as pl

    said, right = once.join(tokens, on="normal"), gold.join(tokens, on="normal")
    common = said.join(right, on=["of", "token"], suffix="_gold")
    pairs = common.group_by("of", "normal", "normal_gold").agg(
        pl.min_horizontal("times", "times_gold").sum().alias("shared"),
        pl.col("length", "length_gold").first(),
    )
    precision, recall = pl.col("shared") / pl.col("length"), pl.col("shared") / pl.col("length_gold")
    # In this order, as the official scorer has it: another one differs in the last digit.
    f1 = 2 * precision * recall / (precision + recall)
    return pairs.with_columns(f1=f1).group_by("of", "normal").agg(pl.col("f1").max())
