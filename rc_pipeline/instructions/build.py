"""Instruction sets: every row of a dataset through one of its task templates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from rc_pipeline.instructions.drawing import draw_template, row_order
from rc_pipeline.instructions.errors import InstructionsError
from rc_pipeline.instructions.rendering import Rendered, TaskRenderer
from rc_pipeline.instructions.rows import Rows, read_split, split_is_present
from rc_pipeline.lake.frames import preview, write_parquet
from rc_pipeline.lake.outcome import JSON, Check, Outcome

SCHEMA: dict[str, Any] = {
    "instruction_id": pl.String,
    "row_id": pl.String,
    "dataset": pl.String,
    "split": pl.String,
    "template": pl.String,
    "language": pl.String,
    "instruction": pl.String,
    "input": pl.String,
    "passage_start": pl.Int64,
    "passage_end": pl.Int64,
    "output": pl.String,
    "choices": pl.List(pl.String),
    "gold_label": pl.Int8,
    "gold_answers": pl.List(pl.String),
    "group": pl.String,
    "order": pl.UInt64,
}
DROPPED_SCHEMA = {"row_id": pl.String, "template": pl.String, "reason": pl.String}
EMPTY_OUTPUT = "empty_output"
UNKNOWN_OUTPUT = "unknown_output"
FAILURES_KEPT = 1000


@dataclass
class _Split:
    """What became of a split's rows."""

    name: str
    rows: int = 0
    instructions: list[dict[str, Any]] = field(default_factory=list)
    dropped: list[tuple[str, str | None, str]] = field(default_factory=list)
    figures: Mapping[str, int] = field(default_factory=dict)
    unplaced: Counter[str] = field(default_factory=Counter)


def build_instructions(  # noqa: PLR0913 - the interface that the asset calls
    *,
    dataset: str,
    columns: Sequence[str],
    passage_column: str,
    tables: Path,
    passages: Path | None,
    templates: Mapping[str, dict[str, Any]],
    train_splits: list[str],
    splits: list[str],
    seed: int,
    out: Path,
) -> Outcome:
    """Write the instructions of every split present, the rows left out, and figures about both."""
    present = [split for split in splits if split_is_present(tables, passages, split)]
    renderers = {name: TaskRenderer(name, templates[name], passage_column) for name in sorted(templates)}
    for_training, for_evaluation = _uses(columns, renderers, templates, [split in train_splits for split in present])
    if not present:
        raise InstructionsError([f"dataset {dataset}: tables: none of {', '.join(splits)}; build the tables again"])
    built = []
    for split in present:
        training = split in train_splits
        rows = read_split(tables=tables, passages=passages, split=split, columns=columns)
        weights = {name: float(templates[name].get("weight", 1.0)) for name in for_training} if training else {}
        result = _render_split(split, rows, for_training if training else for_evaluation, weights, seed)
        frame = pl.DataFrame(result.instructions, schema=SCHEMA).with_columns(dataset=pl.lit(dataset))
        write_parquet(frame, out / f"{split}.parquet")
        built.append((result, frame))
    dropped = [entry for result, _ in built for entry in result.dropped]
    write_parquet(pl.DataFrame(dropped, schema=DROPPED_SCHEMA, orient="row"), out / "dropped.parquet")
    return Outcome(
        metadata=_metadata(built),
        checks=_checks(built),
        tables={"instructions": [f"{split}.parquet" for split in present], "dropped_rows": ["dropped.parquet"]},
    )


def _uses(
    columns: Sequence[str],
    renderers: Mapping[str, TaskRenderer],
    templates: Mapping[str, Mapping[str, Any]],
    kinds: Sequence[bool],
) -> tuple[dict[str, TaskRenderer], dict[str, TaskRenderer]]:
    """Return the templates to train with and the one to evaluate with, all of their problems told at once."""
    problems = [problem for renderer in renderers.values() for problem in renderer.problems(tuple(columns))]
    usable: dict[str, dict[str, TaskRenderer]] = {"train": {}, "evaluate": {}}
    for name, renderer in renderers.items():
        for use in templates[name].get("use", ["train", "evaluate"]):
            usable[use][name] = renderer
    if any(kinds) and not usable["train"]:
        problems.append(f"templates {', '.join(templates)}: use: none says train; add it to one of them")
    if not all(kinds) and len(usable["evaluate"]) != 1:
        problems.append(
            f"templates {', '.join(templates)}: use: {len(usable['evaluate'])} say evaluate; "
            "exactly one must, or scores could not be compared"
        )
    if problems:
        raise InstructionsError(problems)
    return usable["train"], usable["evaluate"]


def _render_split(
    split: str, rows: Rows, renderers: Mapping[str, TaskRenderer], weights: Mapping[str, float], seed: int
) -> _Split:
    """Render every row with its template: one drawn by weight for training, else the only one."""
    result = _Split(split, rows.frame.height + rows.dropped.height, figures=rows.figures)
    result.dropped += [(row_id, None, reason) for row_id, reason in rows.dropped.iter_rows()]
    failures: list[str] = []
    for row in rows.frame.iter_rows(named=True):
        name = draw_template(row["row_id"], weights, seed) if weights else next(iter(renderers))
        try:
            rendered = renderers[name].render(row)
        except InstructionsError as error:
            failures += error.problems
            if len(failures) >= FAILURES_KEPT:
                break
            continue
        result.unplaced[name] += rendered.passage is None and bool(row.get(renderers[name].passage_column))
        reason = _why_not_trainable(rendered) if weights else None
        if reason:
            result.dropped.append((row["row_id"], name, reason))
        else:
            result.instructions.append(_instruction(row, renderers[name], rendered, split, seed))
    if failures:
        raise InstructionsError(failures)
    return result


def _why_not_trainable(rendered: Rendered) -> str | None:
    if rendered.output is None:
        return UNKNOWN_OUTPUT
    return None if rendered.output.strip() else EMPTY_OUTPUT


def _instruction(
    row: Mapping[str, Any], renderer: TaskRenderer, rendered: Rendered, split: str, seed: int
) -> dict[str, Any]:
    start, end = rendered.passage or (-1, -1)
    return {
        "instruction_id": f"{row['row_id']}:{renderer.name}",
        "row_id": row["row_id"],
        "split": split,
        "template": renderer.name,
        "language": renderer.language,
        "instruction": rendered.instruction,
        "input": rendered.input,
        "passage_start": start,
        "passage_end": end,
        "output": rendered.output,
        "choices": rendered.choices,
        "gold_label": rendered.gold_label,
        "gold_answers": row["gold_answers"],
        "group": row["group"],
        "order": row_order(row["row_id"], seed),
    }


def _metadata(built: Sequence[tuple[_Split, pl.DataFrame]]) -> dict[str, JSON]:
    reasons = Counter(reason for result, _ in built for _, _, reason in result.dropped)
    shares = Counter(f"{result.name}: {row['template']}" for result, _ in built for row in result.instructions)
    figures: Counter[str] = Counter()
    for result, _ in built:
        figures.update(result.figures)
    return {
        **{f"rows: {result.name}": frame.height for result, frame in built},
        **{f"template: {name}": count for name, count in sorted(shares.items())},
        **{f"dropped: {reason}": count for reason, count in sorted(reasons.items())},
        **dict(sorted(figures.items())),
        "dropped": sum(reasons.values()),
        "examples": {"markdown": "\n\n".join(_examples(built))},
        "preview": preview(built[0][1]),
    }


def _examples(built: Sequence[tuple[_Split, pl.DataFrame]]) -> Iterator[str]:
    """Yield the first instruction of every template, as Markdown."""
    seen: set[str] = set()
    for _, frame in built:
        for row in frame.unique("template", keep="first", maintain_order=True).iter_rows(named=True):
            if row["template"] not in seen:
                seen.add(row["template"])
                parts = (row["instruction"], row["input"], f"→ {row['output']}")
                text = "\n".join(line for part in parts for line in part.splitlines())
                yield f"**{row['template']}**\n\n" + "\n".join(f"    {line}" for line in text.splitlines())


def _checks(built: Sequence[tuple[_Split, pl.DataFrame]]) -> tuple[Check, ...]:
    lost = {
        result.name: result.rows - frame.height - len(result.dropped)
        for result, frame in built
        if result.rows != frame.height + len(result.dropped)
    }
    ids = pl.concat([frame["instruction_id"] for _, frame in built])
    unplaced = sum((result.unplaced for result, _ in built), Counter[str]())
    empty: list[JSON] = [result.name for result, frame in built if not frame.height]
    return (
        Check(
            "every_row_is_accounted_for", not lost, description="Each row is an instruction or dropped for a reason."
        ),
        Check("instruction_ids_are_unique", not ids.is_duplicated().any(), description="An id names one instruction."),
        Check("no_split_is_empty", not empty, False, "Every split has rows left.", {"empty": empty}),
        Check(
            "passages_can_be_cut",
            not unplaced,
            blocking=False,
            description="The input shows the passage in one piece, so that it can be cut where a prompt is too long.",
            metadata=dict(sorted(unplaced.items())),
        ),
    )
