"""Instruction sets: every row of a dataset through one of its task templates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from rc_pipeline.instructions.asked import asked_batches, never_asked
from rc_pipeline.instructions.drawing import row_order
from rc_pipeline.instructions.duplicates import Duplicate, find_duplicates
from rc_pipeline.instructions.errors import InstructionsError
from rc_pipeline.instructions.findings import checks, metadata
from rc_pipeline.instructions.rendering import TaskRenderer
from rc_pipeline.instructions.rows import Holdout, left_out, split_batches, split_is_present
from rc_pipeline.instructions.writing import DROPPED_SCHEMA, SCHEMA, Written, write_instructions, write_shots
from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.lake.outcome import JSON, Outcome
from rc_pipeline.overlaps.texts import Content, content_of

__all__ = ["DROPPED_SCHEMA", "SCHEMA", "build_instructions"]
# A held-out template asks the questions of a split in words that no model was trained on: valid.other_words.
ASKED_WITH = "."
SHOTS = "shots.parquet"


@dataclass(frozen=True)
class _Uses:
    """The templates of a dataset by what they are for."""

    train: dict[str, TaskRenderer]
    evaluate: dict[str, TaskRenderer]
    held_out: dict[str, TaskRenderer]

    def sets(self, split: str, *, training: bool) -> dict[str, dict[str, TaskRenderer]]:
        """Return what is made of a split: one set to train on, or one to ask and one for each held-out template."""
        if training:
            return {split: self.train}
        other = {f"{split}{ASKED_WITH}{name}": {name: renderer} for name, renderer in self.held_out.items()}
        return {split: self.evaluate} | other


def build_instructions(  # noqa: PLR0913 - the interface that the asset calls
    *,
    dataset: str,
    fmt: str,
    columns: Sequence[str],
    passage_column: str,
    tables: Path,
    passages: Path | None,
    templates: Mapping[str, dict[str, Any]],
    train_splits: list[str],
    splits: list[str],
    unanswered: list[str],
    holdout: Mapping[str, float],
    duplicates: str,
    shot_rows: int,
    seed: int,
    out: Path,
) -> Outcome:
    """Write the instructions of every split present, the rows left out, and figures about both."""
    there = [split for split in splits if split_is_present(tables, passages, split)]
    present = _with_held_out(dataset, there, holdout)
    uses = _uses(columns, passage_column, templates, [split in train_splits for split in present])
    if not present:
        raise InstructionsError([f"dataset {dataset}: tables: none of {', '.join(splits)}; build the tables again"])
    written: list[Written] = []
    kept = Holdout(holdout, train_splits, seed)
    taught = [split for split in present if split in train_splits]

    def batches(*names: str) -> Iterator[pl.DataFrame]:
        for name in names:
            yield from split_batches(tables, passages, name, columns, kept)

    def asked(split: str) -> Iterator[pl.DataFrame]:
        return asked_batches(tables, passages, split, columns=columns, passage_column=passage_column, holdout=kept)

    def without(split: str, *, training: bool) -> list[tuple[str, str]]:
        if split in holdout:
            return []
        return left_out(passages, split) if training else never_asked(tables, passages, split)

    texts = (_texts(batch, content_of(fmt, columns), seed) for batch in batches(*taught))
    repeats = find_duplicates(texts, near=duplicates == "drop_near")
    weights = {name: float(templates[name].get("weight", 1.0)) for name in uses.train}
    for split in present:
        training = split in train_splits
        for name, renderers in uses.sets(split, training=training).items():
            written.append(
                write_instructions(
                    rows=batches(split) if training else asked(split),
                    left_out=without(split, training=training),
                    dataset=dataset,
                    split=name,
                    renderers=renderers,
                    weights=weights if training else {},
                    seed=seed,
                    answered=split not in unanswered,
                    repeats=repeats if training and duplicates != "keep" else {},
                    path=out / f"{name}.parquet",
                )
            )
    if shot_rows:
        every = {**uses.train, **uses.evaluate, **uses.held_out}
        write_shots(batches(*taught), every, shot_rows, seed, out / SHOTS)
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


def _uses(
    columns: Sequence[str], passage_column: str, templates: Mapping[str, Mapping[str, Any]], kinds: Sequence[bool]
) -> _Uses:
    """Return the templates by use, all of their problems told at once."""
    renderers = {name: TaskRenderer(name, templates[name], passage_column) for name in sorted(templates)}
    problems = [problem for renderer in renderers.values() for problem in renderer.problems(tuple(columns))]
    uses = _Uses({}, {}, {})
    for name, renderer in renderers.items():
        for use in templates[name].get("use", ["train", "evaluate"]):
            getattr(uses, use)[name] = renderer
    if any(kinds) and not uses.train:
        problems.append(f"templates {', '.join(templates)}: use: none says train; add it to one of them")
    if not all(kinds) and len(uses.evaluate) != 1:
        problems.append(
            f"templates {', '.join(templates)}: use: {len(uses.evaluate)} say evaluate; "
            "exactly one must, or scores could not be compared"
        )
    if problems:
        raise InstructionsError(problems)
    return uses
