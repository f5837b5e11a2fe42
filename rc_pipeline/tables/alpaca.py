"""Table of an Alpaca dataset: one row an instruction."""

from __future__ import annotations

from rc_pipeline.corpora.alpaca import read_rows
from rc_pipeline.tables.rows import RowFormat, one_part_a_file
from rc_pipeline.tables.talk import talk_columns, talk_gold, talk_group

FORMAT = RowFormat(
    parts=one_part_a_file(lambda file, _split, _options: read_rows(file)),
    columns=talk_columns,
    group=talk_group,
    gold=talk_gold,
)
