"""The tables of a report, as Markdown and as plain text for a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from rc_pipeline.lake.frames import markdown_table
from rc_pipeline.reporting.comparisons import Comparison
from rc_pipeline.reporting.contenders import Contender, changes, read_contenders
from rc_pipeline.reporting.pairs import seed_groups
from rc_pipeline.reporting.scoreboard import NO_SCORE, Column, ReportError, Scoreboard, read_scoreboard


@dataclass(frozen=True)
class Training:
    """What a run's training.json tells."""

    examples: int
    steps: int
    tokens: int
    loss: tuple[tuple[int, float], ...]

    @property
    def final_loss(self) -> float | None:
        """The mean over the last twentieth of the curve; a single batch says little."""
        last = [loss for _, loss in self.loss[-max(1, len(self.loss) // 20) :]]
        return sum(last) / len(last) if last else None


def read_training(path: Path, run: str) -> Training:
    """Read the training.json of a run; a path is that file or the folder that holds it."""
    file = path / "training.json" if path.is_dir() else path
    try:
        page = json.loads(file.read_text(encoding="utf-8"))
        loss = tuple((int(step), float(value)) for step, value in page["loss"])
        return Training(int(page["examples"]), int(page["steps"]), int(page["tokens"]), loss)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReportError(f"{file.name} of {run} cannot be read ({error!r}); train the run again") from error


def score_table(board: Scoreboard, contenders: Sequence[Contender]) -> str:
    """Return runs by columns, each score with its interval, the best of a column in bold."""
    runs = [one.run for one in contenders]
    counts = {column: board.counts(runs, column) for column in board.columns}
    headings = [f"{column.name}{_n(counts[column]) if len(counts[column]) == 1 else ''}" for column in board.columns]
    rows: list[list[object]] = [
        [f"`{one.label}`", *(_cell(board, one.run, column, runs) for column in board.columns)] for one in contenders
    ]
    return markdown_table(["run", *headings], rows)


def difference_table(comparisons: Sequence[Comparison]) -> str:
    """Return what each second run does better or worse than the first, and how sure that is; empty if none does."""
    clean = any(one.clean_n not in {None, one.n} for one in comparisons)
    headings = ["run", "against", "measure", "value", "difference", "better", "worse", "p", "detectable"]
    rows = [_difference_row(one)[: None if clean else len(headings)] for one in comparisons]
    return markdown_table(headings + ["unseen difference"] * clean, rows) if rows else ""


def seed_table(board: Scoreboard, contenders: Sequence[Contender]) -> str:
    """Return the mean and the spread over runs that differ in their seed alone; empty if there are none."""
    groups: dict[frozenset[str], tuple[Contender, ...]] = {}
    for group in seed_groups(contenders).values():
        groups.setdefault(frozenset(one.run for one in group), group)
    rows: list[list[object]] = []
    for group in groups.values():
        for column in board.columns if len(group) > 1 else ():
            scores = [board.scores.get((one.run, column)) for one in group]
            values = [score.value for score in scores if score is not None and score.value is not None]
            if len(values) == len(group):
                spread = [fmean(values), stdev(values), min(values), max(values)]
                seeds = ", ".join(str(one.settings.get("seed", NO_SCORE)) for one in group)
                rows.append([f"`{group[0].label}`", seeds, column.name, *(f"{value:.1f}" for value in spread)])
    headings = ["run", "seeds", "measure", "mean", "standard deviation", "lowest", "highest"]
    return markdown_table(headings, rows) if rows else ""


def ablation_tables(board: Scoreboard, contenders: Sequence[Contender]) -> dict[str, str]:
    """Return for each run that was varied a table: itself first, then its variants and what they change."""
    by_label = {one.label: one for one in contenders}
    tables = {}
    for parent in dict.fromkeys(one.ablation_of for one in contenders if one.ablation_of):
        variants = [one for one in contenders if one.ablation_of == parent]
        of = by_label.get(parent)
        group = [of, *variants] if of else variants
        runs = [one.run for one in group]
        rows: list[list[object]] = [
            [
                f"`{one.label}`", "as it is" if one is of else changes(one, of or one),
                *(_cell(board, one.run, column, runs) for column in board.columns),
            ]
            for one in group
        ]  # fmt: skip
        tables[parent] = markdown_table(["run", "change", *(column.name for column in board.columns)], rows)
    return tables


def training_table(contenders: Sequence[Contender], training: Mapping[str, Training]) -> str:
    """Return how long each run was tuned and where its loss ended; empty if none was."""
    rows: list[list[object]] = []
    for one in contenders:
        if one.run in training:
            page, weights = training[one.run], one.trained_weights
            loss = NO_SCORE if page.final_loss is None else f"{page.final_loss:.3f}"
            figures = [f"{page.examples:,}", f"{page.steps:,}", f"{page.tokens:,}", loss]
            rows.append([f"`{one.label}`", one.tuning, *figures, NO_SCORE if weights is None else f"{weights:,}"])
    headings = ["run", "tuning", "rows", "steps", "tokens", "final loss", "trained weights"]
    if rows and all(row[-1] == NO_SCORE for row in rows):
        headings, rows = headings[:-1], [row[:-1] for row in rows]
    return markdown_table(headings, rows) if rows else ""


def contender_table(contenders: Sequence[Contender]) -> str:
    """Return what was compared: each run with its model, its prompt and how it was tuned."""
    rows: list[list[object]] = [[f"`{one.label}`", one.model, one.prompt, one.tuning, one.title] for one in contenders]
    headings = ["run", "model", "prompt", "tuned", "about"]
    if not any(one.title for one in contenders):
        headings, rows = headings[:-1], [row[:-1] for row in rows]
    return markdown_table(headings, rows)


def comparison_table(
    *, runs: Sequence[Mapping[str, Any]], eval_sets: Sequence[str], scores: Mapping[tuple[str, str], Path]
) -> str:
    """Return the scores of all runs as aligned plain text for a terminal, intervals at 95 %."""
    board, contenders = read_scoreboard(scores, eval_sets), read_contenders(runs)
    columns = [
        ["", "run", *(one.label for one in contenders)],
        *(
            [
                # The name of a set stands over the first of its metrics only.
                "" if at and board.columns[at - 1].eval_set == column.eval_set else column.eval_set,
                column.metric_name,
                *(board.text(one.run, column) for one in contenders),
            ]
            for at, column in enumerate(board.columns)
        ),
    ]
    widths = [max(map(len, cells)) for cells in columns]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in zip(*columns, strict=True)]
    rule = ["-" * width for width in widths]
    return "\n".join("  ".join(line).rstrip() for line in [*lines[:2], rule, *lines[2:]])


def _difference_row(one: Comparison) -> list[object]:
    measure = Column(one.eval_set, one.metric).name
    names = [_side(one.label_b, one.seeds_b), _side(one.label_a, one.seeds_a), measure]
    counts = [NO_SCORE if count is None else count for count in (one.better, one.worse)]
    p = NO_SCORE if one.p_corrected is None else f"{one.p_corrected:.3f}" if one.p_corrected >= 0.001 else "< 0.001"
    least = NO_SCORE if one.detectable is None else f"{one.detectable:.1f}"
    return [
        *names, f"{one.a:.1f} → {one.b:.1f}", _difference(one.difference, one.low, one.high), *counts, p, least,
        _difference(one.clean_difference, one.clean_low, one.clean_high),
    ]  # fmt: skip


def _difference(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return NO_SCORE
    return f"{value:+.1f}" if low is None or high is None else f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"


def _side(label: str, seeds: int) -> str:
    return f"`{label}`" if seeds == 1 else f"`{label}`, {seeds} seeds"


def _cell(board: Scoreboard, run: str, column: Column, runs: Sequence[str]) -> str:
    text = board.text(run, column)
    if run in board.best(runs, column):
        value, _, interval = text.partition(" ")
        text = f"**{value}** {interval}"
    score = board.scores.get((run, column))
    return text if score is None or len(board.counts(runs, column)) == 1 else f"{text}{_n({score.n})}"


def _n(counts: set[int]) -> str:
    return f" (n = {min(counts):,})"
