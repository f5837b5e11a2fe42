"""What is made of a split: one set to train on, or one to ask and others that ask the same in other ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from rc_pipeline.instructions.asked import asked_batches, never_asked
from rc_pipeline.instructions.errors import InstructionsError
from rc_pipeline.instructions.probes import BY_DOCUMENT, WAYS_TO_ASK, UnfitProbe, probe_template
from rc_pipeline.instructions.probing import Probing
from rc_pipeline.instructions.rendering import TaskRenderer
from rc_pipeline.instructions.rows import Holdout, left_out, split_batches

# What follows it says how a split is asked: by a held-out template, a probe, or document by document.
ASKED_WITH = "."


@dataclass(frozen=True)
class Rows:
    """Where the rows of a dataset lie, and what templates see of them."""

    tables: Path
    passages: Path | None
    documents: Path | None
    columns: Sequence[str]
    passage_column: str
    holdout: Holdout

    def taught(self, *splits: str) -> Iterator[pl.DataFrame]:
        """Yield the rows to train on."""
        for split in splits:
            yield from split_batches(self.tables, self.passages, split, self.columns, self.holdout)

    def asked(self, split: str, *, by_document: bool = False) -> Iterator[pl.DataFrame]:
        """Yield the rows to ask, of questions or of each of their documents."""
        return asked_batches(
            self.tables,
            self.documents if by_document else self.passages,
            split,
            columns=self.columns,
            passage_column=self.passage_column,
            holdout=self.holdout,
        )

    def without(self, split: str, *, training: bool, by_document: bool = False) -> list[tuple[str, str]]:
        """Return (row_id, reason) of the rows that never become instructions."""
        if split in self.holdout.shares:
            return []
        chosen = self.documents if by_document else self.passages
        return left_out(chosen, split) if training else never_asked(self.tables, chosen, split)


@dataclass(frozen=True)
class InstructionSet:
    """One file of instructions: its name, its templates, and its rows and those left out of it."""

    name: str
    renderers: Mapping[str, TaskRenderer]
    rows: Iterator[pl.DataFrame]
    left_out: list[tuple[str, str]]


@dataclass(frozen=True)
class Uses:
    """The templates of a dataset by what they are for."""

    templates: Mapping[str, Mapping[str, Any]]
    train: dict[str, TaskRenderer]
    evaluate: dict[str, TaskRenderer]
    held_out: dict[str, TaskRenderer]

    def sets(self, rows: Rows, split: str, asked_as: Sequence[str], *, training: bool) -> Iterator[InstructionSet]:
        """Yield what is made of a split."""
        without = rows.without(split, training=training)
        if training:
            yield InstructionSet(split, self.train, rows.taught(split), without)
            return
        yield InstructionSet(split, self.evaluate, rows.asked(split), without)
        for name, renderer in self.held_out.items():
            yield InstructionSet(f"{split}{ASKED_WITH}{name}", {name: renderer}, rows.asked(split), without)
        for way in asked_as:
            name = f"{split}{ASKED_WITH}{way}"
            if way == BY_DOCUMENT:
                without = rows.without(split, training=False, by_document=True)
                yield InstructionSet(name, self.evaluate, rows.asked(split, by_document=True), without)
            else:
                yield self._probe(rows, split, way, without)

    def _probe(self, rows: Rows, split: str, probe: str, without: list[tuple[str, str]]) -> InstructionSet:
        ((name, renderer),) = self.evaluate.items()
        try:
            template = probe_template(probe, self.templates[name], rows.passage_column, rows.columns)
        except UnfitProbe as error:
            raise InstructionsError([f"{name}.yaml: {split}{ASKED_WITH}{probe}: {error}"]) from error
        probing = Probing(probe, renderer, self.templates[name], rows.columns, rows.holdout.seed)
        asking = {name: TaskRenderer(name, template, rows.passage_column)}
        probed = probing.batches(lambda: rows.asked(split))
        return InstructionSet(f"{split}{ASKED_WITH}{probe}", asking, probed, without)


def way_of(name: str) -> str:
    """Return how a set of this name asks, empty where a template alone decides it."""
    way = name.partition(ASKED_WITH)[2]
    return way if way in WAYS_TO_ASK else ""


def uses_of(
    columns: Sequence[str], passage_column: str, templates: Mapping[str, Mapping[str, Any]], kinds: Sequence[bool]
) -> Uses:
    """Return the templates by use, all of their problems told at once; `kinds` says which splits are trained on."""
    renderers = {name: TaskRenderer(name, templates[name], passage_column) for name in sorted(templates)}
    problems = [problem for renderer in renderers.values() for problem in renderer.problems(tuple(columns))]
    uses = Uses(templates, {}, {}, {})
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
