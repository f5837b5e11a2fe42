"""How much better one run is than another on the very same questions, and whether that is more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import groupby
from typing import TYPE_CHECKING

from rc_pipeline.reporting.contamination import hidden_rows
from rc_pipeline.reporting.pairs import Pair
from rc_pipeline.reporting.scoreboard import Column, Scoreboard
from rc_pipeline.reporting.significance import bootstrap_p, detectable, holm, mcnemar
from rc_pipeline.reporting.verdicts import (
    FLIPPED,
    aligned,
    finite,
    flips,
    measure_of,
    read_verdicts,
    resampled_scores,
    without,
)
from rc_pipeline.scoring.intervals import UNITS, bounds
from rc_pipeline.scoring.measures import Mean, Measure

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

RESAMPLES = 10_000
MCNEMAR, BOOTSTRAP = "McNemar", "paired bootstrap"


@dataclass(frozen=True)
class Comparison:
    """Run b minus run a; what needs verdicts on single questions is null where there are none."""

    study: str
    kind: str
    run_a: str
    run_b: str
    label_a: str
    label_b: str
    seeds_a: int
    seeds_b: int
    eval_set: str
    metric: str
    n: int
    clusters: int | None = None
    a: float | None = None
    b: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    better: int | None = None
    worse: int | None = None
    test: str | None = None
    p: float | None = None
    p_corrected: float | None = None
    detectable: float | None = None
    clean_n: int | None = None
    clean_a: float | None = None
    clean_b: float | None = None
    clean_difference: float | None = None
    clean_low: float | None = None
    clean_high: float | None = None


@dataclass(frozen=True)
class _Drawn:
    """Verdicts of all runs on the same questions, and the values of their measures over the same resamples."""

    questions: Mapping[str, pl.DataFrame]
    measures: Mapping[str, Measure]
    values: Mapping[tuple[str, str], NDArray[np.float64]]

    def value(self, runs: Sequence[str], metric: str) -> float:
        """Return a measure as the mean over the runs of one side."""
        return sum(self.measures[metric].value(self.questions[run]) for run in runs) / len(runs)

    def difference(self, a: Sequence[str], b: Sequence[str], metric: str) -> NDArray[np.float64]:
        """Return the difference of two sides in every resample that says something of both."""
        import numpy as np

        first, second = (np.mean([self.values[run, metric] for run in runs], axis=0) for runs in (a, b))
        return finite(second - first)


def compare(
    study: str, pairs: Sequence[Pair], board: Scoreboard, seen: pl.DataFrame | None
) -> tuple[list[Comparison], pl.DataFrame]:
    """Return every comparison of the pairs, p corrected over all of them, and the questions that flipped."""
    import polars as pl

    found: list[Comparison] = []
    flipped = [pl.DataFrame(schema=FLIPPED)]
    for eval_set, listed in groupby(board.columns, key=lambda column: column.eval_set):
        metrics = [column.metric for column in listed]
        frames = _verdicts(board, pairs, eval_set)
        drawn = _drawn(frames, metrics)
        unseen = (
            {} if seen is None else {run: without(each, hidden_rows(seen, eval_set)) for run, each in frames.items()}
        )
        clean = _drawn(unseen, metrics)
        for pair in pairs:
            for metric in metrics:
                if _has_values(board, pair, Column(eval_set, metric)):
                    about = _about(study, pair, eval_set, metric)
                    found.append(_compared(pair, about, drawn, clean) or _told(board, pair, about))
            runs = [*pair.runs[0], *pair.runs[1]]
            if len(runs) == 2 and set(runs) <= frames.keys():
                flipped.append(flips(frames[runs[0]], frames[runs[1]], [study, *runs, eval_set]))
    return _corrected(found), pl.concat(flipped)


def comparison_frame(comparisons: Sequence[Comparison]) -> pl.DataFrame:
    """Return comparisons as a table."""
    import polars as pl

    types = {"str": pl.String, "int": pl.Int64, "float": pl.Float64}
    schema = {field.name: types[str(field.type).partition(" ")[0]] for field in fields(Comparison)}
    return pl.DataFrame([asdict(one) for one in comparisons], schema=schema)


def _verdicts(board: Scoreboard, pairs: Sequence[Pair], eval_set: str) -> dict[str, pl.DataFrame]:
    runs = sorted({run for pair in pairs for side in pair.runs for run in side})
    files = {run: board.questions[run, eval_set] for run in runs if (run, eval_set) in board.questions}
    return aligned({run: read_verdicts(file) for run, file in files.items()})


def _drawn(frames: Mapping[str, pl.DataFrame], metrics: Sequence[str]) -> _Drawn | None:
    if any(frame.is_empty() for frame in frames.values()) or not frames:
        return None
    columns = set.intersection(*(set(frame.columns) for frame in frames.values()))
    known = {metric: measure for metric in metrics if (measure := measure_of(metric, columns))}
    measures = {metric: one for metric, one in known.items() if all(map(one.counted, frames.values()))}
    return _Drawn(frames, measures, resampled_scores(frames, list(measures.values()), RESAMPLES)) if measures else None


def _about(study: str, pair: Pair, eval_set: str, metric: str) -> Comparison:
    a, b = pair.a[0], pair.b[0]
    return Comparison(study, pair.kind, a.run, b.run, a.label, b.label, len(pair.a), len(pair.b), eval_set, metric, n=0)


def _has_values(board: Scoreboard, pair: Pair, column: Column) -> bool:
    scores = [board.scores.get((run, column)) for side in pair.runs for run in side]
    return all(score is not None and score.value is not None for score in scores)


def _told(board: Scoreboard, pair: Pair, about: Comparison) -> Comparison:
    """Return what the scores alone tell."""
    column = Column(about.eval_set, about.metric)
    a, b = (sum(board.scores[run, column].value or 0.0 for run in side) / len(side) for side in pair.runs)
    n = min(board.scores[run, column].n for side in pair.runs for run in side)
    return replace(about, n=n, a=a, b=b, difference=b - a)


def _compared(pair: Pair, about: Comparison, drawn: _Drawn | None, clean: _Drawn | None) -> Comparison | None:
    """Return the difference with its interval and test, or None where verdicts on single questions are missing."""
    (runs_a, runs_b), metric = pair.runs, about.metric
    if drawn is None or metric not in drawn.measures or not {*runs_a, *runs_b} <= drawn.questions.keys():
        return None
    a, b = drawn.value(runs_a, metric), drawn.value(runs_b, metric)
    values = drawn.difference(runs_a, runs_b, metric)
    low, high = bounds(values)
    questions = drawn.questions[runs_a[0]]
    found = replace(
        about, n=len(questions), clusters=questions["cluster"].n_unique(), a=a, b=b, difference=b - a, low=low,
        high=high, test=BOOTSTRAP, p=bootstrap_p(b - a, values),
    )  # fmt: skip
    if isinstance(drawn.measures[metric], Mean):
        found = _by_question(found, [[drawn.questions[run] for run in runs] for runs in pair.runs])
    if clean is None or metric not in clean.measures:
        return found
    a, b = clean.value(runs_a, metric), clean.value(runs_b, metric)
    low, high = bounds(clean.difference(runs_a, runs_b, metric))
    n = len(clean.questions[runs_a[0]])
    return replace(
        found, clean_n=n, clean_a=a, clean_b=b, clean_difference=b - a, clean_low=low, clean_high=high
    )  # fmt: skip


def _by_question(found: Comparison, sides: Sequence[Sequence[pl.DataFrame]]) -> Comparison:
    """Add what the gains on single questions tell of a mean: McNemar's test where they are verdicts."""
    import polars as pl

    columns = [[(frame[found.metric] * UNITS).round().cast(pl.Int64) for frame in side] for side in sides]
    # A null, where a run has no value for a question, makes the sum one.
    a, b = (sum(side[1:], start=side[0]) // len(side) for side in columns)
    gains = pl.DataFrame({"cluster": sides[0][0]["cluster"], "gain": b - a}).drop_nulls("gain")
    verdicts = all(set(column.drop_nulls()) <= {0, UNITS} for side in columns for column in side)
    by_cluster = gains.group_by("cluster").agg(pl.col("gain").sum()).sort("cluster")["gain"].to_list()
    least = detectable((gain / UNITS for gain in by_cluster), len(gains))
    single = verdicts and found.seeds_a == found.seeds_b == 1
    return replace(
        found, better=int((gains["gain"] > 0).sum()), worse=int((gains["gain"] < 0).sum()),
        detectable=None if least is None else 100 * least,
        test=MCNEMAR if single else found.test,
        p=mcnemar(gain // UNITS for gain in by_cluster) if single else found.p,
    )  # fmt: skip


def _corrected(comparisons: Sequence[Comparison]) -> list[Comparison]:
    tested = [at for at, one in enumerate(comparisons) if one.p is not None]
    corrected = dict(zip(tested, holm([comparisons[at].p or 0.0 for at in tested]), strict=True))
    return [replace(one, p_corrected=corrected.get(at)) for at, one in enumerate(comparisons)]
