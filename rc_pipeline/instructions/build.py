"""Instruction sets: every row of a dataset through one of its task templates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from rc_pipeline.instructions.drawing import row_order
from rc_pipeline.instructions.duplicates import Duplicate, find_duplicates
from rc_pipeline.instructions.errors import InstructionsError
from rc_pipeline.instructions.findings import checks, metadata
from rc_pipeline.instructions.rows import Holdout, split_is_present
from rc_pipeline.instructions.sets import Rows, uses_of, way_of
from rc_pipeline.instructions.writing import DROPPED_SCHEMA, SCHEMA, Written, write_instructions, write_shots
from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.lake.outcome import JSON, Outcome
from rc_pipeline.overlaps.texts import Content, content_of

__all__ = ["DROPPED_SCHEMA", "SCHEMA", "build_instructions"]


def build_instructions(  # noqa: PLR0913 - the interface that the asset calls
    *,
    dataset: str,
    fmt: str,
    columns: Sequence[str],
    passage_column: str,
    tables: Path,
    passages: Path | None,
    documents: Path | None,
    templates: Mapping[str, dict[str, Any]],
    train_splits: list[str],
    splits: list[str],
    unanswered: list[str],
    holdout: Mapping[str, float],
    duplicates: str,
    shot_rows: int,
    asked_as: Mapping[str, Sequence[str]],
    seed: int,
    out: Path,
) -> Outcome:
    """Write the instructions of every split present, the rows left out, and figures about both."""
    there = [split for split in splits if split_is_present(tables, passages, split)]
    present = _with_held_out(dataset, there, holdout)
    rows = Rows(tables, passages, documents, columns, passage_column, Holdout(holdout, train_splits, seed))
    uses = uses_of(columns, passage_column, templates, [split in train_splits for split in present])
    if not present:
        raise InstructionsError([f"dataset {dataset}: tables: none of {', '.join(splits)}; build the tables again"])
    written: list[Written] = []
    taught = [split for split in present if split in train_splits]
    texts = (_texts(batch, content_of(fmt, columns), seed) for batch in rows.taught(*taught))
    repeats = find_duplicates(texts, near=duplicates == "drop_near")
    weights = {name: float(templates[name].get("weight", 1.0)) for name in uses.train}
    for split in present:
        training = split in train_splits
        for one in uses.sets(rows, split, asked_as.get(split, ()), training=training):
            written.append(
                write_instructions(
                    rows=one.rows,
                    left_out=one.left_out,
                    dataset=dataset,
                    split=one.name,
                    way=way_of(one.name),
                    renderers=one.renderers,
                    weights=weights if training else {},
                    seed=seed,
                    answered=split not in unanswered,
                    repeats=repeats if training and duplicates != "keep" else {},
                    path=out / f"{one.name}.parquet",
                )
            )
    if shot_rows:
        every = {**uses.train, **uses.evaluate, **uses.held_out}
        write_shots(rows.taught(*taught), every, shot_rows, seed, out)
    dropped = [(dataset, each.split, *entry) for each in written for entry in each.dropped]
    write_parquet(pl.DataFrame(dropped, schema=DROPPED_SCHEMA, orient="row"), out / "dropped.parquet")
    return Outcome(
        metadata=metadata(written, out) | _repeats(repeats),
        checks=checks(written, out),
        tables={"instructions": [f"{each.split}.parquet" for each in written], "dropped_rows": ["dropped.parquet"]},
    )


def _with_held_out(dataset: str, there: list[str], holdout: Mapping[str, float]) -> list[str]:
    """Return the splits that there are and those to be held out of them, which must be others."""
    twice = sorted(set(there) & set(holdout))
    if twice:
        raise InstructionsError(
            [f"dataset {dataset}: holdout.{split}: the data has this split; remove it" for split in twice]
        )
    return [*there, *sorted(holdout)] if there else []


def _texts(batch: pl.DataFrame, content: Content, seed: int) -> pl.DataFrame:
    """Return what the rows of a batch say, to be compared with what others say."""
    orders = pl.Series("order", [row_order(row_id, seed) for row_id in batch["row_id"]], dtype=pl.UInt64)
    return pl.concat([batch.select("row_id", orders), content.said(batch)], how="horizontal")


def _repeats(repeats: Mapping[str, Duplicate]) -> dict[str, JSON]:
    kinds = Counter(one.kind for one in repeats.values())
    return {f"training rows that repeat another: {kind}": count for kind, count in sorted(kinds.items())}
