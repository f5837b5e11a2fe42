"""How a score holds when the same questions are asked in other ways: by held-out templates and by probes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from rc_pipeline.instructions.probes import PROBES, WAYS_TO_ASK
from rc_pipeline.lake.frames import markdown_table
from rc_pipeline.reporting.contenders import Contender
from rc_pipeline.reporting.scoreboard import NO_SCORE, Column, Scoreboard
from rc_pipeline.reporting.verdicts import aligned, measure_of, read_verdicts
from rc_pipeline.scoring.measures import Perplexity


@dataclass(frozen=True)
class Wordings:
    """The scores of one set of questions by several templates."""

    mean: float
    deviation: float
    spread: float
    worst: float
    worst_template: str


def over_wordings(scores: Mapping[str, float], *, lower_is_better: bool = False) -> Wordings | None:
    """Return what scores by template come to, None of fewer than two."""
    if len(scores) < 2:
        return None
    values = list(scores.values())
    worst = max(values) if lower_is_better else min(values)
    template = next(name for name in sorted(scores) if scores[name] == worst)
    return Wordings(fmean(values), stdev(values), max(values) - min(values), worst, template)


def wording_table(board: Scoreboard, contenders: Sequence[Contender]) -> str:
    """Return for each run how a score varies over held-out templates; empty where there are no two."""
    rows: list[list[object]] = []
    for one in contenders:
        by_measure: dict[Column, dict[str, float]] = {}
        for base, way, column in _asked_otherwise(board):
            score = board.scores.get((one.run, column))
            if way not in WAYS_TO_ASK and score is not None and score.value is not None:
                by_measure.setdefault(base, {})[way] = score.value
        for base, scores in by_measure.items():
            found = over_wordings(scores, lower_is_better=base.metric == Perplexity.name)
            if found is not None:
                spread = [f"{value:.1f}" for value in (found.mean, found.deviation, found.spread, found.worst)]
                itself = board.scores.get((one.run, base))
                usual = NO_SCORE if itself is None or itself.value is None else f"{itself.value:.1f}"
                rows.append([f"`{one.label}`", base.name, usual, len(scores), *spread, f"`{found.worst_template}`"])
    headings = ["run", "measure", "usual template", "held-out templates", "mean", "standard deviation", "spread",
                "worst", "which is"]  # fmt: skip
    return markdown_table(headings, rows) if rows else ""


def probe_table(board: Scoreboard, contenders: Sequence[Contender]) -> str:
    """Return for each run and probe what the score falls to, over the same questions; empty without probes."""
    rows: list[list[object]] = []
    for one in contenders:
        for base, way, column in _asked_otherwise(board):
            if way in PROBES:
                rows += _probed(board, one, base, column, way)
    headings = ["run", "measure", "probe", "n", "as it is", "probed", "difference"]
    return markdown_table(headings, rows) if rows else ""


def _asked_otherwise(board: Scoreboard) -> Iterator[tuple[Column, str, Column]]:
    """Yield (measure of the set as it is, way to ask, measure of the set asked so)."""
    for column in board.columns:
        eval_set, dot, way = column.eval_set.partition(".")
        if dot:
            yield Column(eval_set, column.metric), way, column


def _probed(board: Scoreboard, one: Contender, base: Column, probe: Column, name: str) -> Iterator[list[object]]:
    """Yield the row of a probe; there is none where the set itself was not asked."""
    files = [board.questions.get((one.run, column.eval_set)) for column in (base, probe)]
    if files[0] is None or files[1] is None:
        return
    usual, probed = aligned({"usual": read_verdicts(files[0]), "probed": read_verdicts(files[1])}).values()
    measure = measure_of(base.metric, {*usual.columns} & {*probed.columns})
    if measure is not None and measure.counted(usual) and measure.counted(probed):
        values = [measure.value(questions) for questions in (usual, probed)]
        figures = [*(f"{value:.1f}" for value in values), f"{values[1] - values[0]:+.1f}"]
        yield [f"`{one.label}`", base.name, name.replace("_", " "), len(probed), *figures]
