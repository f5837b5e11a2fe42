"""Table of a user's own records: the columns that the catalog names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

from rc_pipeline.corpora.inventory import raw_file_list, usual_place
from rc_pipeline.corpora.mapped_records import ANSWER, ANSWERS, ID, LABEL, OPEN_IN_A_TEST, PASSAGE, read_mapped
from rc_pipeline.tables.quarantine import TablesError
from rc_pipeline.tables.rows import NO_ANSWER, Options, Part, RowFormat
from rc_pipeline.tables.schemas import CONTROL_CHARACTERS, text

# Columns that every table has, or that are made from others; an instruction's history is no text.
TAKEN = frozenset({"row_id", "split", "group", "gold_answers", "history", "source_file", "source_line", ANSWERS})


def _parts(raw: Mapping[str, Path], options: Options) -> Iterator[Part]:
    seen: dict[str, set[str]] = defaultdict(set)
    for file in raw_file_list(raw):
        place = usual_place(file.name)
        yield Part(place.split, place.part, read_mapped(file, place.split, options["columns"], seen[place.split]))


def _columns(split: str, options: Options) -> dict[str, pa.Column]:
    names = options.get("columns", {})
    if taken := sorted(TAKEN & set(names)):
        raise TablesError(
            f"columns: {', '.join(taken)} cannot be a name here: it stands for something else. Call it "
            "something else in the dataset's file of the catalog"
            + (f"; {ANSWERS} is made from {ANSWER}, where a JSON list holds several." if ANSWERS in taken else ".")
        )
    told = {name: text(name, nullable=split == "test" and name in OPEN_IN_A_TEST) for name in names}
    if ANSWER in names:
        told[ANSWERS] = pa.Column(pl.List(pl.String), pa.Check(_without_control_characters, error="control_character"))
    return told


def _without_control_characters(data: PolarsData) -> pl.LazyFrame:
    odd = pl.element().str.contains(CONTROL_CHARACTERS)
    return data.lazyframe.select(~pl.col(str(data.key)).list.eval(odd).list.any())


def _group(options: Options) -> pl.Expr:
    """Rows belong together by their passage, else by all that they ask."""
    names = options["columns"]
    asked = [name for name in names if name not in (ID, ANSWER, LABEL)]
    if PASSAGE in names or not asked:
        return pl.col(PASSAGE if PASSAGE in names else "row_id")
    return pl.concat_str(asked, separator="\n")


def _gold(options: Options) -> pl.Expr:
    names = options["columns"]
    if ANSWER in names:
        return pl.col(ANSWERS)
    if LABEL in names:
        return pl.when(pl.col(LABEL).is_null()).then(NO_ANSWER).otherwise(pl.concat_list(LABEL))
    return NO_ANSWER


FORMAT = RowFormat(parts=_parts, columns=_columns, group=_group, gold=_gold)
