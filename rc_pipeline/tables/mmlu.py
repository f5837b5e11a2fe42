"""Table of MMLU and its like: one row a question with four answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandera.polars as pa
import polars as pl

from rc_pipeline.corpora.inventory import raw_file_list
from rc_pipeline.corpora.mmlu import ANSWERS, is_paper, paper_of, read_paper
from rc_pipeline.lake.outcome import JSON
from rc_pipeline.tables.rows import NO_ANSWER, Options, Part, RowFormat
from rc_pipeline.tables.schemas import text


def _parts(raw: Mapping[str, Path], _: Options) -> Iterator[Part]:
    for file in raw_file_list(raw):
        if is_paper(file.name):
            paper = paper_of(file.name)
            yield Part(paper.split, paper.subject, read_paper(file, paper))


def _columns(split: str, _: Options) -> dict[str, pa.Column]:
    told = {name: text(name) for name in ("subject", "question", *ANSWERS)}
    return {**told, "label": pa.Column(pl.Int8, nullable=split == "test")}


def _gold(_: Options) -> pl.Expr:
    right = pl.concat_list(ANSWERS).list.get(pl.col("label"))
    return pl.when(pl.col("label").is_null()).then(NO_ANSWER).otherwise(pl.concat_list(right))


def _notes(whole: pl.LazyFrame) -> dict[str, JSON]:
    subjects, unanswered = whole.select(pl.col("subject").n_unique(), pl.col("label").null_count()).collect().row(0)
    return {"subjects": subjects, "rows without an answer": unanswered}


FORMAT = RowFormat(
    parts=_parts,
    columns=_columns,
    # "Which of these is true?" is asked of a subject more than once; with the same answers it is one question.
    group=lambda _: pl.concat_str("question", *ANSWERS, separator="\n"),
    gold=_gold,
    notes=_notes,
)
