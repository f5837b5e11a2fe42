"""The scores of a study, read from the files of its runs, by run and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

NO_SCORE = "–"
LOWER_IS_BETTER = "perplexity"


class ReportError(ValueError):
    """A file that a report is made of and that cannot be read as what it should be."""


@dataclass(frozen=True)
class Column:
    """One metric on one evaluation set."""

    eval_set: str
    metric: str

    @property
    def metric_name(self) -> str:
        """The metric as people write it."""
        return self.metric.replace("_", " ")

    @property
    def name(self) -> str:
        """The column's heading."""
        return f"{self.eval_set} {self.metric_name}"


@dataclass(frozen=True)
class Score:
    """A value in percent with its 95 % interval; null where there was no gold answer to compare with."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    def __str__(self) -> str:
        if self.value is None:
            return "no gold"
        return f"{self.value:.1f} [{self.low:.1f}, {self.high:.1f}]"


@dataclass(frozen=True)
class Scoreboard:
    """Every score of a study, and the files of verdicts that they are the means of."""

    columns: tuple[Column, ...]
    scores: Mapping[tuple[str, Column], Score]
    questions: Mapping[tuple[str, str], Path]

    def text(self, run: str, column: Column) -> str:
        """Return a score with its interval as text, or a dash where there is none."""
        score = self.scores.get((run, column))
        return NO_SCORE if score is None else str(score)

    def counts(self, runs: Sequence[str], column: Column) -> set[int]:
        """Return over how many questions these runs were scored; more than one number is no fair comparison."""
        return {self.scores[run, column].n for run in runs if (run, column) in self.scores}

    def best(self, runs: Sequence[str], column: Column) -> set[str]:
        """Return the runs with the best value as it is shown, several where they tie; none to beat, none best."""
        values = {run: self.scores[run, column].value for run in runs if (run, column) in self.scores}
        shown = {run: round(value, 1) for run, value in values.items() if value is not None}
        best = min if column.metric == LOWER_IS_BETTER else max
        return {run for run, value in shown.items() if value == best(shown.values())} if len(shown) > 1 else set()


def read_scoreboard(scores: Mapping[tuple[str, str], Path], eval_sets: Sequence[str]) -> Scoreboard:
    """Read scores.parquet of each (run, evaluation set); a path is that file or the folder that holds it."""
    import polars as pl

    found: dict[tuple[str, Column], Score] = {}
    questions: dict[tuple[str, str], Path] = {}
    columns: dict[str, list[Column]] = {eval_set: [] for eval_set in eval_sets}
    for (run, eval_set), path in sorted(scores.items()):
        if eval_set not in columns:
            continue
        file = path / "scores.parquet" if path.is_dir() else path
        try:
            rows = pl.read_parquet(file).select("metric", "value", "low", "high", "n").rows()
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ReportError(f"{file.name} of {run} on {eval_set} cannot be read ({error}); score it again") from error
        for metric, *score in rows:
            column = Column(eval_set, metric)
            found[run, column] = Score(*score)
            if column not in columns[eval_set]:
                columns[eval_set].append(column)
        if (file.parent / "questions.parquet").is_file():
            questions[run, eval_set] = file.parent / "questions.parquet"
    return Scoreboard(tuple(column for listed in columns.values() for column in listed), found, questions)
