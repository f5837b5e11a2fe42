"""What single questions tell of two runs: which were mended and broken, and which wrong option was chosen instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rc_pipeline.reporting.contenders import Contender
from rc_pipeline.reporting.scoreboard import Scoreboard
from rc_pipeline.reporting.verdicts import aligned, read_verdicts

if TYPE_CHECKING:
    import polars as pl

OUTCOMES = ("both right", "mended", "broken", "both wrong")
MOST_OPTIONS = 8


@dataclass(frozen=True)
class Flips:
    """What became of the questions of a set from one run to another, in the order of OUTCOMES."""

    run_a: str
    run_b: str
    eval_set: str
    counts: tuple[int, int, int, int]

    @property
    def n(self) -> int:
        """How many questions there are."""
        return sum(self.counts)


@dataclass(frozen=True)
class Confusion:
    """How often each option was chosen (across) for each right one (down)."""

    label: str
    run: str
    eval_set: str
    counts: tuple[tuple[int, ...], ...]


def flips_of(board: Scoreboard, a: Contender, b: Contender, eval_sets: Sequence[str]) -> list[Flips]:
    """Return what became of the questions of each set that both runs answered."""
    found = []
    for eval_set in eval_sets:
        files = [board.questions.get((one.run, eval_set)) for one in (a, b)]
        if files[0] is None or files[1] is None:
            continue
        first, second = aligned({"a": read_verdicts(files[0]), "b": read_verdicts(files[1])}).values()
        was, now = first["correct"], second["correct"]
        counts = [int(each.sum()) for each in (was & now, ~was & now, was & ~now, ~was & ~now)]
        if sum(counts):
            found.append(Flips(a.run, b.run, eval_set, (counts[0], counts[1], counts[2], counts[3])))
    return found


def confusions_of(board: Scoreboard, runs: Sequence[Contender], eval_sets: Sequence[str]) -> list[Confusion]:
    """Return the confusions of each run on each set of questions with a few options."""
    found = []
    for eval_set in eval_sets:
        for one in runs:
            file = board.questions.get((one.run, eval_set))
            counts = _counts(read_verdicts(file)) if file is not None else ()
            if counts:
                found.append(Confusion(one.label, one.run, eval_set, counts))
    return found


def _counts(questions: pl.DataFrame) -> tuple[tuple[int, ...], ...]:
    if not {"choice", "gold_label"} <= set(questions.columns):
        return ()
    known = questions.select("gold_label", "choice").drop_nulls()
    if known.is_empty():
        return ()
    options = 1 + max(int(known[name].max()) for name in known.columns)  # type: ignore[arg-type]
    if not 2 <= options <= MOST_OPTIONS:
        return ()
    pairs = {(gold, chosen): n for gold, chosen, n in known.group_by("gold_label", "choice").len().rows()}
    return tuple(tuple(pairs.get((gold, chosen), 0) for chosen in range(options)) for gold in range(options))
