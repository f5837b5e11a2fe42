"""Table of BIG-bench: one row an example of a task, with its options if it has any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandera.polars as pa
import polars as pl

from rc_pipeline.corpora.bigbench import Layout, part_name, program, read_task
from rc_pipeline.corpora.inventory import raw_file_list
from rc_pipeline.lake.outcome import JSON
from rc_pipeline.tables.rows import Options, Part, RowFormat
from rc_pipeline.tables.schemas import text

# Nothing of the benchmark is for training.
SPLIT = "test"


def _parts(raw: Mapping[str, Path], _: Options) -> Iterator[Part]:
    layout = Layout({file.name for file in raw_file_list(raw)})
    for file in raw_file_list(raw):
        if layout.is_program(file.name):
            yield Part(SPLIT, part_name(file.name), [program(file.name)])
        elif layout.is_task(file.name):
            yield Part(SPLIT, part_name(file.name), read_task(file, layout))


def _columns(_split: str, _options: Options) -> dict[str, pa.Column]:
    texts = pl.List(pl.String)
    return {
        "task": text("task"),
        "input": text("input"),
        "options": pa.Column(texts, nullable=True),
        "label": pa.Column(pl.Int32, nullable=True),
        "answer": text("answer"),
        "answers": pa.Column(texts),
    }


def _notes(whole: pl.LazyFrame) -> dict[str, JSON]:
    chosen = pl.col("label").is_not_null()
    tied = (chosen & (pl.col("answers").list.len() > 1)).sum()
    figures = whole.select(pl.col("task").n_unique(), chosen=chosen.sum(), tied=tied).collect().row(0)
    return dict(zip(("tasks", "rows with options", "rows with several best options"), figures, strict=True))


FORMAT = RowFormat(
    parts=_parts,
    columns=_columns,
    group=lambda _: pl.col("input"),
    gold=lambda _: pl.col("answers"),
    notes=_notes,
)
