"""Instructions on their way to disk, a batch of rows at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from rc_pipeline.instructions.asked import ASKED_SCHEMA, OWN
from rc_pipeline.instructions.drawing import draw_template, row_order, shots_file
from rc_pipeline.instructions.duplicates import Duplicate
from rc_pipeline.instructions.errors import InstructionsError
from rc_pipeline.instructions.probing import SET_ASIDE
from rc_pipeline.instructions.rendering import Rendered, TaskRenderer
from rc_pipeline.lake.frames import write_parquet

SCHEMA: dict[str, Any] = {
    "instruction_id": pl.String,
    "row_id": pl.String,
    "dataset": pl.String,
    "split": pl.String,
    "template": pl.String,
    "language": pl.String,
    "system": pl.String,
    "history": pl.List(pl.List(pl.String)),
    "instruction": pl.String,
    "input": pl.String,
    "passage_start": pl.Int64,
    "passage_end": pl.Int64,
    "rationale": pl.String,
    "answer_after": pl.String,
    "output": pl.String,
    "choices": pl.List(pl.String),
    "gold_label": pl.Int8,
    "gold_answers": pl.List(pl.String),
    "group": pl.String,
    "order": pl.UInt64,
}
DROPPED_SCHEMA = {
    "dataset": pl.String, "split": pl.String, "row_id": pl.String, "template": pl.String, "reason": pl.String
}  # fmt: skip
EMPTY_OUTPUT = "empty_output"
UNKNOWN_OUTPUT = "unknown_output"
FAILURES_KEPT = 1000


@dataclass
class Written:
    """What became of the rows of a split."""

    split: str
    way: str = ""
    answered: bool = True
    repeats: Mapping[str, Duplicate] = field(default_factory=dict)
    rows: int = 0
    kept: int = 0
    dropped: list[tuple[str, str | None, str]] = field(default_factory=list)
    templates: Counter[str] = field(default_factory=Counter)
    unplaced: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def write_instructions(  # noqa: PLR0913 - by name, all of them
    *,
    rows: Iterable[pl.DataFrame],
    left_out: list[tuple[str, str]],
    dataset: str,
    split: str,
    way: str,
    renderers: Mapping[str, TaskRenderer],
    weights: Mapping[str, float],
    seed: int,
    answered: bool,
    repeats: Mapping[str, Duplicate],
    path: Path,
) -> Written:
    """Render every row with its template: one drawn by weight for training, else the only one."""
    import pyarrow.parquet as pq

    dropped: list[tuple[str, str | None, str]] = [(row_id, None, reason) for row_id, reason in left_out]
    written = Written(split, way, answered, repeats, rows=len(dropped), dropped=dropped)
    columns = SCHEMA if weights else SCHEMA | ASKED_SCHEMA
    schema = _arrow(pl.DataFrame(schema=columns)).schema
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in rows:
            rendered = _render(batch, renderers, weights, seed, written)
            frame = pl.DataFrame(rendered, schema=columns)
            frame = frame.with_columns(dataset=pl.lit(dataset), split=pl.lit(split))
            writer.write_table(_arrow(frame))
            if len(written.failures) >= FAILURES_KEPT:
                break
    if written.failures:
        raise InstructionsError(written.failures)
    return written


def write_shots(
    rows: Iterable[pl.DataFrame], renderers: Mapping[str, TaskRenderer], count: int, seed: int, out: Path
) -> None:
    """Write the training rows that come first in the seeded order, to draw examples from.

    A file a template: what is asked by one depends on no other.
    """
    first: pl.DataFrame | None = None
    for batch in rows:
        orders = pl.Series("_order", [row_order(row_id, seed) for row_id in batch["row_id"]], dtype=pl.UInt64)
        ordered = batch.with_columns(orders)
        first = (ordered if first is None else pl.concat([first, ordered])).bottom_k(count, by="_order")
    for name, renderer in renderers.items():
        found, pool = Written("shots"), list[dict[str, Any]]()
        if first is not None:
            pool = _render(first.sort("_order").drop("_order"), {name: renderer}, {name: 1.0}, seed, found)
        if found.failures:
            raise InstructionsError(found.failures)
        write_parquet(pl.DataFrame(pool, schema=SCHEMA), out / shots_file(name))


def _arrow(frame: pl.DataFrame) -> Any:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


def _render(
    batch: pl.DataFrame,
    renderers: Mapping[str, TaskRenderer],
    weights: Mapping[str, float],
    seed: int,
    written: Written,
) -> list[dict[str, Any]]:
    instructions = []
    written.rows += batch.height
    for row in batch.iter_rows(named=True):
        aside = written.repeats[row["row_id"]].kind if row["row_id"] in written.repeats else row.get(SET_ASIDE)
        if aside:
            written.dropped.append((row["row_id"], None, aside))
            continue
        name = draw_template(row["row_id"], weights, seed) if weights else next(iter(renderers))
        renderer = renderers[name]
        try:
            rendered = renderer.render(row, answered=written.answered)
        except InstructionsError as error:
            written.failures += error.problems
            continue
        written.unplaced[name] += rendered.passage is None and renderer.shows_passage(row)
        reason = _why_not_trainable(rendered) if weights else None
        if reason:
            written.dropped.append((row["row_id"], name, reason))
        else:
            instructions.append(_instruction(row, renderer, rendered, seed, written.way))
            written.templates[name] += 1
    written.kept += len(instructions)
    return instructions


def _why_not_trainable(rendered: Rendered) -> str | None:
    if rendered.output is None:
        return UNKNOWN_OUTPUT
    return None if rendered.output.strip() else EMPTY_OUTPUT


def _instruction(
    row: Mapping[str, Any], renderer: TaskRenderer, rendered: Rendered, seed: int, way: str
) -> dict[str, Any]:
    start, end = rendered.passage or (-1, -1)
    asked = {name: row.get(OWN + name) for name in ASKED_SCHEMA}
    return asked | {
        "instruction_id": ":".join(filter(None, (row["row_id"], renderer.name, asked["document"] or way))),
        "row_id": row["row_id"],
        "template": renderer.name,
        "language": renderer.language,
        "system": rendered.system or None,
        "history": row.get("history") or [],
        "instruction": rendered.instruction,
        "input": rendered.input,
        "passage_start": start,
        "passage_end": end,
        "rationale": rendered.rationale or None,
        "answer_after": renderer.answer_after or None,
        "output": rendered.output,
        "choices": rendered.choices,
        "gold_label": rendered.gold_label,
        "gold_answers": row["gold_answers"],
        "group": row["group"],
        "order": row_order(row["row_id"], seed),
    }
