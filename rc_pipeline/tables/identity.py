"""Table of questions about a model itself: one row a question."""

from __future__ import annotations

import polars as pl

from rc_pipeline.corpora.identity_questions import PATTERNS, read_rows
from rc_pipeline.corpora.inventory import Place
from rc_pipeline.lake.outcome import JSON
from rc_pipeline.tables.rows import RowFormat, one_part_a_file
from rc_pipeline.tables.schemas import text

COLUMNS = ("question", "answer", "topic", "language")


def _notes(whole: pl.LazyFrame) -> dict[str, JSON]:
    asked = whole.group_by("language").agg(topics=pl.col("topic").n_unique(), questions=pl.len()).collect()
    counts = {language: (topics, rows) for language, topics, rows in asked.iter_rows()}
    return {
        f"questions in {language}": f"{counts[language][1]} in {counts[language][0]} topics"
        for language in PATTERNS
        if language in counts
    }


FORMAT = RowFormat(
    parts=one_part_a_file(lambda file, _split, _options: read_rows(file), lambda _name: Place("train", "")),
    columns=lambda _split, _options: {name: text(name) for name in COLUMNS},
    group=lambda _: pl.col("question"),
    gold=lambda _: pl.concat_list("answer"),
    notes=_notes,
)
