"""Table of Cosmos QA: one row a question with four answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandera.polars as pa
import polars as pl

from rc_pipeline.corpora.cosmos_qa import LABEL, TEXT_FIELDS, read_split
from rc_pipeline.corpora.inventory import RawFile
from rc_pipeline.corpora.readers import BadRow, Row
from rc_pipeline.lake.outcome import JSON, Check
from rc_pipeline.tables.rows import NO_ANSWER, Options, RowFormat, one_part_a_file
from rc_pipeline.tables.schemas import text


def _read(file: RawFile, split: str, _: Options) -> Iterator[Row | BadRow]:
    return read_split(file, split)


def _columns(split: str, _: Options) -> dict[str, pa.Column]:
    told = {name: text(name) for name in TEXT_FIELDS}
    label = pa.Column(pl.String, pa.Check.str_matches(r"^[0-3]$", error="label_not_0_to_3"), nullable=split == "test")
    return {**told, LABEL: label}


def _gold(_: Options) -> pl.Expr:
    options = pl.concat_list("answer0", "answer1", "answer2", "answer3")
    return pl.when(pl.col(LABEL).is_null()).then(NO_ANSWER).otherwise(pl.concat_list(options.list.get(pl.col(LABEL))))


def _notes(whole: pl.LazyFrame) -> dict[str, JSON]:
    """Count what is odd but right: Cosmos QA repeats ids and asks of one context more than once."""
    ids = pl.struct("split", "id").n_unique()
    counted = whole.select(contexts=pl.col("context").n_unique(), repeated=pl.len() - ids).collect()
    contexts, repeated = counted.row(0)
    return {"contexts": contexts, "rows with a repeated id": repeated}


def _labels_in_range(tables: Mapping[str, pl.LazyFrame]) -> tuple[Check, ...]:
    label = pl.col(LABEL)
    right = label.is_between(0, 3).fill_null(False).all()
    passed = all(table.select(right).collect().item() for split, table in tables.items() if split != "test")
    description = "Every label of train and valid is 0, 1, 2 or 3."
    return (Check("labels_in_range", passed=passed, description=description),)


FORMAT = RowFormat(
    parts=one_part_a_file(_read),
    columns=_columns,
    group=lambda _: pl.col("context"),
    gold=_gold,
    casts={LABEL: pl.Int8},
    notes=_notes,
    checks=_labels_in_range,
)
