"""How a score holds when the same questions are asked in other ways: by held-out templates and by probes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from rc_pipeline.instructions.probes import PROBES, WAYS_TO_ASK
from rc_pipeline.reporting.cells import figure, score_id
from rc_pipeline.reporting.contenders import Contender
from rc_pipeline.reporting.document import Code, Row, Table
from rc_pipeline.reporting.scoreboard import LOWER_IS_BETTER, Column, Scoreboard
from rc_pipeline.reporting.verdicts import aligned, measure_of, read_verdicts

WORDINGS = (
    "The same questions asked by templates that no run was trained on. A run is only as good as its worst template: "
    "what lies between the templates is the wording and not the reading."
)
PROBED = "The same questions with something taken away. A score that a probe leaves where it was needs no reading."
_SPREAD = ("mean", "deviation", "spread", "worst")


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


def wording_table(board: Scoreboard, contenders: Sequence[Contender]) -> Table | None:
    """Return for each run how a score varies over held-out templates, where there are two of them."""
    rows: list[Row] = []
    for one in contenders:
        for base in dict.fromkeys(base for base, _, _ in _asked_otherwise(board)):
            scores = wordings_of(board, one, base)
            found = over_wordings(scores, lower_is_better=base.metric == LOWER_IS_BETTER)
            if found is not None:
                where = f"wordings/{one.run}/{base.eval_set}:{base.metric}:"
                spread = [(figure(where + name, getattr(found, name), ".1f"),) for name in _SPREAD]
                itself = board.scores.get((one.run, base))
                usual = figure(score_id(one.run, base, "value"), None if itself is None else itself.value, ".1f")
                count = figure(where + "templates", len(scores), "d")
                rows.append(
                    ((Code(one.label),), (base.name,), (usual,), (count,), *spread, (Code(found.worst_template),))
                )
    headings = ["run", "measure", "usual template", "held-out templates", "mean", "standard deviation", "spread",
                "worst", "which is"]  # fmt: skip
    return Table("wordings", (WORDINGS,), headings, rows, on_paper=6) if rows else None


def wordings_of(board: Scoreboard, one: Contender, base: Column) -> dict[str, float]:
    """Return what a run scores by each held-out template."""
    found = {}
    for of, way, column in _asked_otherwise(board):
        score = board.scores.get((one.run, column))
        if of == base and way not in WAYS_TO_ASK and score is not None and score.value is not None:
            found[way] = score.value
    return found


def probe_table(board: Scoreboard, contenders: Sequence[Contender]) -> Table | None:
    """Return for each run and probe what the score falls to, over the same questions."""
    rows: list[Row] = []
    for one in contenders:
        for base, way, column in _asked_otherwise(board):
            if way in PROBES:
                rows += _probed(board, one, base, column, way)
    headings = ["run", "measure", "probe", "n", "as it is", "probed", "difference"]
    return Table("probes", (PROBED,), headings, rows, on_paper=6) if rows else None


def _asked_otherwise(board: Scoreboard) -> Iterator[tuple[Column, str, Column]]:
    """Yield (measure of the set as it is, way to ask, measure of the set asked so)."""
    for column in board.columns:
        eval_set, dot, way = column.eval_set.partition(".")
        if dot:
            yield Column(eval_set, column.metric), way, column


def _probed(board: Scoreboard, one: Contender, base: Column, probe: Column, name: str) -> Iterator[Row]:
    """Yield the row of a probe; there is none where the set itself was not asked."""
    files = [board.questions.get((one.run, column.eval_set)) for column in (base, probe)]
    if files[0] is None or files[1] is None:
        return
    usual, probed = aligned({"usual": read_verdicts(files[0]), "probed": read_verdicts(files[1])}).values()
    measure = measure_of(base.metric, {*usual.columns} & {*probed.columns})
    if measure is not None and measure.counted(usual) and measure.counted(probed):
        values = [measure.value(questions) for questions in (usual, probed)]
        figures = [("n", len(probed), ","), ("usual", values[0], ".1f"), ("probed", values[1], ".1f"),
                   ("difference", values[1] - values[0], "+.1f")]  # fmt: skip
        where = f"probes/{one.run}/{probe.eval_set}:{probe.metric}:"
        cells = [(figure(where + field, value, form),) for field, value, form in figures]
        yield ((Code(one.label),), (base.name,), (name.replace("_", " "),), *cells)
