"""All that a report knows of a study, read from the files of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.reporting.comparisons import Comparison, compare
from rc_pipeline.reporting.contamination import read_seen
from rc_pipeline.reporting.contenders import Contender, before, read_contenders
from rc_pipeline.reporting.pairs import TUNING, study_pairs
from rc_pipeline.reporting.scoreboard import Column, ReportError, Scoreboard, read_scoreboard
from rc_pipeline.reporting.training import Training, read_training

if TYPE_CHECKING:
    import polars as pl

# A table for paper has so many columns of scores, of so many for each set.
MOST_COLUMNS, MOST_OF_A_SET = 6, 2


@dataclass(frozen=True)
class Files:
    """The files that a report is made of; a path is a file or the folder that holds it."""

    scores: Mapping[tuple[str, str], Path]
    training: Mapping[str, Path]
    overlaps: Sequence[Path] = ()
    predictions: Mapping[tuple[str, str], Path] = field(default_factory=dict)
    recall: Mapping[str, Path] = field(default_factory=dict)


def files_of(settings: Mapping[str, Any], folders: Mapping[str, Path]) -> Files:
    """Return the files of a report whose inputs lie in these folders, by the role that each plays."""
    scored = asked_of(settings["runs"], settings["eval_sets"])

    def role(name: str, file: str) -> dict[str, Path]:
        begins = {key: key.removeprefix(f"{name}.") for key in sorted(folders) if key.startswith(f"{name}.")}
        return {rest: folders[key] / file for key, rest in begins.items()}

    predictions = role("predictions", "predictions.parquet")
    return Files(
        scores={(run, on): folders[f"scores.{run}/{on}"] / "scores.parquet" for run, on in scored},
        training=role("training", "training.json"),
        overlaps=list(role("overlaps", "overlaps.parquet").values()),
        predictions={(run, on): predictions[f"{run}/{on}"] for run, on in scored if f"{run}/{on}" in predictions},
        recall=role("recall", "recall.parquet"),
    )


def asked_of(runs: Sequence[Mapping[str, Any]], eval_sets: Sequence[str]) -> list[tuple[str, str]]:
    """Return each run with each evaluation set that it is asked: all of the study's, where it names none."""
    return sorted({(run["run"], on) for run in runs for on in run.get("evaluate_on", eval_sets)})


@dataclass(frozen=True)
class Study:
    """A study and what came out of it."""

    name: str
    title: str
    description: str
    datasets: Mapping[str, Mapping[str, Any]]
    families: Mapping[str, str]
    contenders: Sequence[Contender]
    board: Scoreboard
    training: Mapping[str, Training]
    seen: pl.DataFrame | None
    comparisons: Sequence[Comparison]
    flipped: pl.DataFrame
    files: Files

    @cached_property
    def main(self) -> list[Contender]:
        """The runs that are no variants of another."""
        return [one for one in self.contenders if not one.ablation_of] or list(self.contenders)

    @cached_property
    def columns(self) -> list[Column]:
        """The scores that the text speaks of: the first of every set, as it is asked by its own template."""
        by_set: dict[str, list[Column]] = {}
        for column in self.board.columns:
            if "." not in column.eval_set:
                by_set.setdefault(column.eval_set, []).append(column)
        each = list(by_set.values()) or [[self.board.columns[0]]]
        most = max(1, min(MOST_OF_A_SET, MOST_COLUMNS // len(each)))
        return [column for own in each for column in own[:most]][:MOST_COLUMNS]

    @cached_property
    def firsts(self) -> list[Column]:
        """The first score of each set that the text speaks of."""
        return list({column.eval_set: column for column in reversed(self.columns)}.values())[::-1]

    @cached_property
    def hero(self) -> Contender:
        """The tuned run that does best on the first score, or the best run where none is tuned."""
        tuned = [one for one in self.main if one.tuned and before(one, self.contenders)] or self.main
        return max(tuned, key=self._first_value)

    @cached_property
    def before_hero(self) -> Contender | None:
        """The untuned run that the hero is measured against."""
        return before(self.hero, self.contenders) if self.hero.tuned else None

    def gains(self, hero_only: bool = True) -> list[Comparison]:
        """Return what tuning did to the scores that the text speaks of."""
        return [
            one
            for one in self.comparisons
            if one.kind == TUNING
            and Column(one.eval_set, one.metric) in self.columns
            and (not hero_only or one.run_b == self.hero.run)
        ]

    def _first_value(self, one: Contender) -> float:
        score = self.board.scores.get((one.run, self.columns[0]))
        return -1.0 if score is None or score.value is None else score.value


def read_study(  # noqa: PLR0913 - by name, all of them
    *,
    study: str,
    title: str,
    description: str,
    runs: Sequence[Mapping[str, Any]],
    eval_sets: Sequence[str],
    files: Files,
    datasets: Mapping[str, Mapping[str, Any]] | None = None,
    families: Mapping[str, str] | None = None,
) -> Study:
    """Read what a report is made of, and compare the runs."""
    contenders = read_contenders(runs)
    board = read_scoreboard(files.scores, eval_sets)
    if not contenders or not board.columns:
        raise ReportError(f"{study}: {len(contenders)} runs with scores on {len(board.columns)} measures; a report "
                          "needs at least one of each, so name runs and evaluation sets in the study")  # fmt: skip
    curves = {run: read_training(path, run) for run, path in sorted(files.training.items())}
    seen = read_seen(files.overlaps) if files.overlaps else None
    compared, flipped = compare(study, study_pairs(contenders), board, seen)
    return Study(
        name=study, title=" ".join(title.split()) or study, description=" ".join(description.split()),
        datasets=datasets or {}, families=families or {}, contenders=contenders, board=board, training=curves,
        seen=seen, comparisons=compared, flipped=flipped, files=files,
    )  # fmt: skip


def read_prompts(files: Mapping[tuple[str, str], Path], run: str, eval_set: str) -> pl.DataFrame | None:
    """Return how long the prompts of a run were and what was cut of their passages; None where nobody can tell."""
    import polars as pl

    path = files.get((run, eval_set))
    if path is None:
        return None
    file = path / "predictions.parquet" if path.is_dir() else path
    try:
        frame = pl.read_parquet(file, columns=["prompt_tokens", "passage_tokens_cut"])
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ReportError(f"{file}: predictions cannot be read ({error}); predict again") from error
    frame = frame.filter(pl.col("prompt_tokens").is_not_null())
    return None if frame.is_empty() else frame


def read_recall(study: Study) -> pl.DataFrame | None:
    """Return how many answers the passages of the evaluation splits hold, by budget; None where none were chosen."""
    import polars as pl

    asked = {tuple(column.eval_set.partition(".")[0].split("/")) for column in study.board.columns}
    frames = []
    for name, path in sorted(study.files.recall.items()):
        file = path / "recall.parquet" if path.is_dir() else path
        try:
            frame = pl.read_parquet(file)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ReportError(f"{file}: recall cannot be read ({error}); build the passages again") from error
        split = next((split for split in frame["split"].unique(maintain_order=True) if (name, split) in asked), None)
        if split is not None:
            frames.append(frame.filter(split=split))
    return pl.concat(frames) if frames else None
