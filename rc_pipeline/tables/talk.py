"""Table of instructions with what was said before them: Alpaca, and the turns of conversations."""

from __future__ import annotations

from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

from rc_pipeline.tables.rows import Options
from rc_pipeline.tables.schemas import CONTROL_CHARACTERS, text


def _clean_history(data: PolarsData) -> pl.LazyFrame:
    spoilt = pl.element().str.contains(CONTROL_CHARACTERS).any()
    turns = pl.element().list.eval(spoilt).list.first().fill_null(False).any()
    return data.lazyframe.select(~pl.col(str(data.key)).list.eval(turns).list.first().fill_null(False))


def talk_columns(_split: str, _options: Options) -> dict[str, pa.Column]:
    """Return instruction, input, output, system and the turns before as [question, answer] pairs."""
    return {
        "instruction": text("instruction"),
        "input": text("input", blank=True),
        "output": text("output"),
        "system": text("system", blank=True, nullable=True),
        "history": pa.Column(pl.List(pl.List(pl.String)), pa.Check(_clean_history, error="control_character")),
    }


def talk_group(_options: Options) -> pl.Expr:
    """Rows belong together by what they are about: the first thing that was asked, else the input."""
    first: Any = pl.col("history").list.first().list.first()
    return pl.coalesce(first, pl.when(pl.col("input") == "").then("instruction").otherwise("input"))


def talk_gold(_options: Options) -> pl.Expr:
    """Return the output as the one accepted answer."""
    return pl.concat_list("output")
