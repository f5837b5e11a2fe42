"""Table of parallel text: one row a sentence pair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandera.polars as pa
import polars as pl

from rc_pipeline.corpora.inventory import usual_place
from rc_pipeline.corpora.languages import language
from rc_pipeline.corpora.parallel import SIDES, Pairing, read_parallel
from rc_pipeline.lake.outcome import JSON, Check
from rc_pipeline.tables.rows import Options, Part, RowFormat
from rc_pipeline.tables.schemas import text

NAMES = tuple(f"{side}_{column}" for column in ("language", "name", "name_zh") for side in SIDES)


def _parts(raw: Mapping[str, Path], options: Options) -> Iterator[Part]:
    for name, pairs in read_parallel(raw, Pairing.of(options["languages"])):
        place = usual_place(name)
        yield Part(place.split, place.part, pairs)


def _columns(_split: str, _options: Options) -> dict[str, pa.Column]:
    return {side: text(side) for side in SIDES} | {name: pa.Column(pl.String) for name in NAMES}


def _notes(whole: pl.LazyFrame) -> dict[str, JSON]:
    same = whole.select((pl.col("source") == pl.col("target")).sum()).collect().item()
    return {"pairs that are the same on both sides": same}


def _sides_are_in_their_languages(tables: Mapping[str, pl.LazyFrame]) -> tuple[Check, ...]:
    """Warn of sides that are swapped, or of another language than the catalog says, as far as letters tell."""
    shares: dict[str, JSON] = {}
    for split, table in tables.items():
        codes = table.select(f"{side}_language" for side in SIDES).head(1).collect().row(0)
        for side, code in zip(SIDES, codes, strict=True):
            scripts = language(code).scripts
            if scripts:
                letters = "".join(rf"\p{{{script}}}" for script in scripts)
                found = table.select(pl.col(side).str.contains(f"[{letters}]").mean()).collect().item()
                shares[f"{split}: {side} in letters of {code}"] = round(found, 4)
    return (
        Check(
            "sides_are_in_their_languages",
            passed=all(isinstance(share, float) and share >= 0.5 for share in shares.values()),
            blocking=False,
            description="At least half of the texts of each side hold letters that their language is written in.",
            metadata=shares,
        ),
    )


FORMAT = RowFormat(
    parts=_parts,
    columns=_columns,
    group=lambda _: pl.col("source"),
    gold=lambda _: pl.concat_list("target"),
    notes=_notes,
    checks=_sides_are_in_their_languages,
)
