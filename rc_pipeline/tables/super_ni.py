"""Table of Super-NaturalInstructions: one row an instance, with the definition of its task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandera.polars as pa
import polars as pl

from rc_pipeline.corpora.inventory import raw_file_list, usual_place
from rc_pipeline.corpora.super_ni import is_task, read_task
from rc_pipeline.lake.outcome import JSON
from rc_pipeline.tables.rows import Options, Part, RowFormat
from rc_pipeline.tables.schemas import text


def _parts(raw: Mapping[str, Path], _: Options) -> Iterator[Part]:
    for file in raw_file_list(raw):
        if is_task(file.name):
            where = usual_place(file.name)
            yield Part(where.split, where.part, read_task(file))


def _columns(_split: str, _options: Options) -> dict[str, pa.Column]:
    told = {name: text(name) for name in ("id", "task", "definition", "input", "output")}
    return {**told, "outputs": pa.Column(pl.List(pl.String))}


def _notes(whole: pl.LazyFrame) -> dict[str, JSON]:
    several = (pl.col("outputs").list.len() > 1).sum()
    tasks, rows = whole.select(pl.col("task").n_unique(), several).collect().row(0)
    return {"tasks": tasks, "rows with several accepted outputs": rows}


FORMAT = RowFormat(
    parts=_parts,
    columns=_columns,
    group=lambda _: pl.col("input"),
    gold=lambda _: pl.col("outputs"),
    notes=_notes,
)
