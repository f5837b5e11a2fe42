"""The tables of a report, and the one of a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from rc_pipeline.reporting.cells import figure, score_cell, score_id
from rc_pipeline.reporting.comparisons import Comparison
from rc_pipeline.reporting.contenders import Contender, changes, read_contenders
from rc_pipeline.reporting.document import Code, Num, Piece, Row, Table, Text, said
from rc_pipeline.reporting.pairs import seed_groups
from rc_pipeline.reporting.scoreboard import NO_SCORE, Column, Scoreboard, read_scoreboard
from rc_pipeline.reporting.training import Training

READING = "Scores are percentages with 95 % bootstrap intervals over questions; the best of a column is bold."
PAIRING = (
    "Differences are percentage points with 95 % intervals, paired by question; better and worse count the questions "
    "whose score rose and fell; p is corrected for all comparisons of the study; detectable is the smallest true "
    "difference that so many questions would show in four cases of five."
)


def score_table(
    board: Scoreboard, contenders: Sequence[Contender], columns: Sequence[Column], name: str = "scores"
) -> Table:
    """Return runs by columns, each score with its interval, the best of a column in bold."""
    runs = [one.run for one in contenders]
    counts = {column: board.counts(runs, column) for column in columns}
    headings = [f"{column.name}{_n(counts[column]) if len(counts[column]) == 1 else ''}" for column in columns]
    rows = [((Code(one.label),), *(_cell(board, one.run, column, runs) for column in columns)) for one in contenders]
    return Table(name, (READING,), ["run", *headings], rows)


def difference_table(name: str, caption: str, comparisons: Sequence[Comparison]) -> Table | None:
    """Return what each second run does better or worse than the first, and how sure that is."""
    clean = any(one.clean_n not in {None, one.n} for one in comparisons)
    headings = ["run", "against", "measure", "value", "difference", "better", "worse", "p", "detectable"]
    rows = [_difference_row(one)[: None if clean else len(headings)] for one in comparisons]
    headings += ["unseen difference"] * clean
    return Table(name, (caption,), headings, rows, on_paper=8) if rows else None


def seed_table(board: Scoreboard, contenders: Sequence[Contender]) -> Table | None:
    """Return the mean and the spread over runs that differ in their seed alone."""
    groups: dict[frozenset[str], tuple[Contender, ...]] = {}
    for group in seed_groups(contenders).values():
        groups.setdefault(frozenset(one.run for one in group), group)
    rows: list[Row] = []
    for group in groups.values():
        for column in board.columns if len(group) > 1 else ():
            scores = [board.scores.get((one.run, column)) for one in group]
            values = [score.value for score in scores if score is not None and score.value is not None]
            if len(values) == len(group):
                spread = {"mean": fmean(values), "stdev": stdev(values), "lowest": min(values), "highest": max(values)}
                seeds = ", ".join(str(one.settings.get("seed", NO_SCORE)) for one in group)
                where = f"seeds/{group[0].run}/{column.eval_set}:{column.metric}:"
                cells = [(figure(where + key, value, ".1f"),) for key, value in spread.items()]
                rows.append(((Code(group[0].label),), (seeds,), (column.name,), *cells))
    headings = ["run", "seeds", "measure", "mean", "standard deviation", "lowest", "highest"]
    caption = (
        "Runs that differ in their seed alone are one run and not several test sets: where it is compared, it stands "
        "with its mean over seeds, and intervals are over questions."
    )
    return Table("seeds", (caption,), headings, rows) if rows else None


def ablation_tables(board: Scoreboard, contenders: Sequence[Contender], columns: Sequence[Column]) -> list[Table]:
    """Return for each run that was varied a table: itself first, then its variants and what they change."""
    by_label = {one.label: one for one in contenders}
    tables: list[Table] = []
    for parent in dict.fromkeys(one.ablation_of for one in contenders if one.ablation_of):
        variants = [one for one in contenders if one.ablation_of == parent]
        of = by_label.get(parent)
        group = [of, *variants] if of else variants
        runs = [one.run for one in group]
        rows: list[Row] = [
            (
                (Code(one.label),), ("as it is" if one is of else changes(one, of or one),),
                *(_cell(board, one.run, column, runs) for column in columns),
            )
            for one in group
        ]  # fmt: skip
        caption = said("Variants of {}, and what each changes.", Code(parent))
        headings = ["run", "change", *(column.name for column in columns)]
        # The first has room on paper; a study may vary any number of runs.
        tables.append(Table(f"ablation-{len(tables) + 1}", caption, headings, rows, bool(tables), on_paper=10))
    return tables


def training_table(contenders: Sequence[Contender], training: Mapping[str, Training]) -> Table | None:
    """Return how long each run was tuned and where its loss ended."""
    rows: list[Row] = []
    weighed = any(one.trained_weights is not None for one in contenders)
    for one in contenders:
        if one.run in training:
            page, where = training[one.run], f"adapters/{one.run}:"
            figures = [("examples", page.examples, ","), ("steps", page.steps, ","), ("tokens", page.tokens, ","),
                       ("final_loss", page.final_loss, ".3f")]  # fmt: skip
            figures += [("trained_weights", one.trained_weights, ",")] if weighed else []
            cells = [(figure(where + name, value, form),) for name, value, form in figures]
            rows.append(((Code(one.label),), (one.tuning,), *cells))
    headings = ["run", "tuning", "rows", "steps", "tokens", "final loss", *(["trained weights"] if weighed else [])]
    caption = (
        "Tokens are those that the model read, prompts included. Final loss is the mean over the last 5 % of the curve."
    )
    return Table("training", (caption,), headings, rows, on_paper=6, on_screen=("tuning",)) if rows else None


def contender_table(contenders: Sequence[Contender]) -> Table:
    """Return what was compared: each run with its model, its prompt and how it was tuned."""
    titled = any(one.title for one in contenders)
    rows: list[Row] = [
        ((Code(one.label),), (one.model,), (one.prompt,), (one.tuning,), *([(one.title,)] if titled else []))
        for one in contenders
    ]
    headings = ["run", "model", "prompt", "tuned", *(["about"] if titled else [])]
    return Table("runs", ("The runs of the study.",), headings, rows, on_paper=9, on_screen=("about",))


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


def comparison_id(one: Comparison, field: str) -> str:
    """Return where a comparison is looked up."""
    return f"comparisons/{one.run_b}/{one.run_a}/{one.eval_set}:{one.metric}:{field}"


def difference(one: Comparison, prefix: str = "") -> Text:
    """Return a difference with its interval, over all questions or (`clean_`) over the unseen ones."""
    value, low, high = (getattr(one, f"{prefix}{name}") for name in ("difference", "low", "high"))
    told, *interval = (
        figure(comparison_id(one, f"{prefix}{name}"), number, "+.1f")
        for name, number in (("difference", value), ("low", low), ("high", high))
    )
    return (told,) if low is None or high is None else said("{} [{}, {}]", told, *interval)


def p_value(one: Comparison) -> Piece:
    """Return the corrected p."""
    p = one.p_corrected
    if p is None:
        return NO_SCORE
    return Num(comparison_id(one, "p_corrected"), f"{p:.3f}" if p >= 0.001 else "< 0.001", p)


def _difference_row(one: Comparison) -> list[Text]:
    measure = Column(one.eval_set, one.metric).name
    a, b, better, worse, least = (
        figure(comparison_id(one, name), getattr(one, name), form)
        for name, form in (("a", ".1f"), ("b", ".1f"), ("better", "d"), ("worse", "d"), ("detectable", ".1f"))
    )
    return [
        _side(one.label_b, one.seeds_b), _side(one.label_a, one.seeds_a), (measure,), said("{} → {}", a, b),
        difference(one), (better,), (worse,), (p_value(one),), (least,), difference(one, "clean_"),
    ]  # fmt: skip


def _side(label: str, seeds: int) -> Text:
    return (Code(label),) if seeds == 1 else (Code(label), f", {seeds} seeds")


def _cell(board: Scoreboard, run: str, column: Column, runs: Sequence[str]) -> Text:
    n = len(board.counts(runs, column)) > 1
    best = run in board.best(runs, column)
    return score_cell(board.scores.get((run, column)), score_id(run, column, ""), best=best, n=n)


def _n(counts: set[int]) -> str:
    return f" (n = {min(counts):,})"
