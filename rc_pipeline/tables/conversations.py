"""Tables of conversations, whatever they are written as: one row an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pandera.polars as pa
import polars as pl

from rc_pipeline.corpora.inventory import RawFile
from rc_pipeline.corpora.readers import BadRow, Row
from rc_pipeline.lake.outcome import JSON
from rc_pipeline.tables.rows import Options, RowFormat, one_part_a_file
from rc_pipeline.tables.talk import talk_columns, talk_gold, talk_group

JOINED = "joined_turns"


def conversation_format(read: Callable[[RawFile], Iterator[Row | BadRow]]) -> RowFormat:
    """Return the tables of a format whose reader yields a row for every answer."""
    return RowFormat(
        parts=one_part_a_file(lambda file, _split, _options: read(file)),
        columns=_columns,
        group=talk_group,
        gold=talk_gold,
        notes=_notes,
    )


def _columns(split: str, options: Options) -> dict[str, pa.Column]:
    return talk_columns(split, options) | {JOINED: pa.Column(pl.Int64)}


def _notes(whole: pl.LazyFrame) -> dict[str, JSON]:
    conversation = pl.col("row_id").str.replace(r"\.\d+$", "").n_unique()
    counted = whole.select(conversation, joined=pl.col(JOINED).sum()).collect()
    conversations, joined = counted.row(0)
    return {"conversations": conversations, "turns joined with the one before": joined}
