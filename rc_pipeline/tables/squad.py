"""Table of SQuAD and its like: one row a question about a passage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandera.polars as pa
import polars as pl

from rc_pipeline.corpora.inventory import raw_file_list, usual_place
from rc_pipeline.corpora.squad import read_questions
from rc_pipeline.lake.outcome import JSON
from rc_pipeline.tables.rows import Options, Part, RowFormat
from rc_pipeline.tables.schemas import text

MOVED = "moved_answers"


def _parts(raw: Mapping[str, Path], _: Options) -> Iterator[Part]:
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for file in raw_file_list(raw):
        where = usual_place(file.name)
        yield Part(where.split, where.part, read_questions(file, where.split, seen[where.split]))


def _columns(_split: str, _options: Options) -> dict[str, pa.Column]:
    return {
        "id": text("id"),
        "title": text("title", blank=True),
        "context": text("context"),
        "question": text("question"),
        "answer": text("answer", nullable=True),
        "answers": pa.Column(pl.List(pl.String)),
        "answer_start": pa.Column(pl.Int64, nullable=True),
        MOVED: pa.Column(pl.Int64),
    }


def _notes(whole: pl.LazyFrame) -> dict[str, JSON]:
    counted = whole.select(
        contexts=pl.col("context").n_unique(),
        unanswered=pl.col("answer").null_count(),
        moved=pl.col(MOVED).sum(),
    )
    contexts, unanswered, moved = counted.collect().row(0)
    return {
        "contexts": contexts,
        "questions without an answer": unanswered,
        "answers found elsewhere than answer_start says": moved,
    }


FORMAT = RowFormat(
    parts=_parts,
    columns=_columns,
    group=lambda _: pl.col("context"),
    gold=lambda _: pl.col("answers"),
    notes=_notes,
)
