"""Exact match and token F1 of many answers against many accepted ones, by whole columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

from rc_pipeline.scoring.normalising import Rules

if TYPE_CHECKING:
    import polars as pl


def match_lists(said: pl.Series, accepted: pl.Series, rules: Rules) -> tuple[pl.Series, pl.Series]:
    """Return (exact, F1) of each answer against the list of accepted answers beside it."""
    import polars as pl

    told = pl.DataFrame({"text": said}).with_row_index("of")
    return match(told, pl.DataFrame({"text": accepted}).with_row_index("of").explode("text"), rules)


def match(told: pl.DataFrame, gold: pl.DataFrame, rules: Rules) -> tuple[pl.Series, pl.Series]:
    """Return (exact, F1) of each answer of `told`, the best over the accepted ones that `gold` has of the same number.

    Both have the columns (of, text). Null is no answer; no answer, or none accepted, is no match. Floats come out
    as one answer at a time would make them.
    """
    import polars as pl

    gold = gold.drop_nulls()
    texts = pl.concat([told["text"], gold["text"]]).drop_nulls().unique()
    plain = texts.str.len_bytes() == texts.str.len_chars()
    texts = pl.concat([texts.filter(plain), texts.filter(~plain)])
    numbers, tokens = _tokens(texts.to_list(), rules)
    coded = pl.DataFrame({"text": texts, "normal": numbers})
    asked = told.join(coded, on="text", how="left", maintain_order="left").select("of", "normal")
    once = asked.drop_nulls().unique()
    gold = gold.join(coded, on="text").select("of", "normal").unique()
    exact = once.join(gold, on=["of", "normal"], how="semi").with_columns(exact=True)
    scored = once.join(exact, on=["of", "normal"], how="left").join(
        _best_f1(once, gold, tokens), on=["of", "normal"], how="left"
    )
    found = asked.join(scored, on=["of", "normal"], how="left", maintain_order="left")
    return found["exact"].fill_null(value=False), found["f1"].fill_null(0.0)


def _tokens(texts: Sequence[str], rules: Rules) -> tuple[pl.Series, pl.DataFrame]:
    """Return a number for each text, the same for equal normal forms, and the tokens of each number.

    Of these, (normal, token, times, length): how often it has the token, and how many tokens it has.
    """
    import numpy as np
    import polars as pl
    import pyarrow as pa

    words, between = rules.tokens(texts)
    places: defaultdict[str, int] = defaultdict(count(1).__next__, {between: 0})
    ids = np.fromiter(map(places.__getitem__, words), dtype=np.uint32, count=len(words))
    ends = np.flatnonzero(ids == 0)
    lengths = np.diff(ends, prepend=-1) - 1
    ids = ids[ids != 0]
    # The ids of a text's words as bytes: equal texts have equal ones, and polars compares them like strings.
    offsets = np.concatenate([[0], np.cumsum(lengths * ids.itemsize)])
    buffers = [None, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(ids)]
    normal = pl.DataFrame(
        {"words": pl.Series(pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(texts), buffers))}
    )
    numbers = normal.with_row_index("at").select(pl.col("at").first().over("words")).to_series()
    owners, sizes = np.repeat(numbers.to_numpy(), lengths), np.repeat(lengths, lengths)
    # Equal texts have one number, that of the first of them; its tokens are counted once.
    first = owners == np.repeat(np.arange(len(texts)), lengths)
    each = pl.DataFrame({"normal": owners[first], "token": ids[first], "length": sizes[first]})
    return numbers, each.group_by("normal", "token").agg(pl.len().alias("times"), pl.col("length").first())


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
