"""Score one run on one evaluation set: `score(...)` writes scores, the verdict on every question, and slices."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.scoring.errors import ScoringError
from rc_pipeline.scoring.findings import CHECKS, checks, metadata
from rc_pipeline.scoring.intervals import bounds, resampled_sums
from rc_pipeline.scoring.kinds import KINDS, measures
from rc_pipeline.scoring.questions import verdicts
from rc_pipeline.scoring.reading import INSTRUCTED, PREDICTED, answered, counted, optional_columns, read
from rc_pipeline.scoring.slices import slices

if TYPE_CHECKING:
    import polars as pl

    from rc_pipeline.scoring.measures import Measure

__all__ = ["CHECKS", "ScoringError", "score"]
Score = tuple[str, float | None, float | None, float | None, int]


def score(  # noqa: PLR0913 - by name, all of them
    *,
    run: str,
    eval_set: str,
    kind: str,
    predictions: Path,
    instructions: Path,
    limit: int | None,
    seed: int,
    out: Path,
    about: Mapping[str, Any] | None = None,
) -> Outcome:
    """Score a run's predictions over all the questions it was asked; values and bounds are in percent.

    A question without a prediction is wrong and counts. Where no question at all has a gold answer,
    as in a test split, the values are null: a 0 would be a claim about the model.
    `about` has what a kind needs besides: the `language` of a translation, the `facts` of an identity.
    """
    import polars as pl

    if kind not in KINDS:
        raise ScoringError(f"{eval_set}: scored_as is {kind!r}; it is one of {', '.join(KINDS)}")
    of_predictions, of_instructions = optional_columns()
    asked = read(instructions, INSTRUCTED, of_instructions, "instructions")
    predicted = read(predictions, PREDICTED, of_predictions, "predictions")
    _require_predictions_of(run, eval_set, predicted, predictions)
    rows = answered(counted(asked, limit, instructions), predicted)
    questions = verdicts(rows, kind, about or {})
    wanted = measures(kind, questions)
    scores = _scores(questions, wanted, seed)
    parts = [(*one, name) for name, part in slices(questions) for one in _scores(part, wanted, seed)]
    named = [pl.lit(run).alias("run"), pl.lit(eval_set).alias("eval_set")]
    table = pl.DataFrame(scores, schema=_schema(), orient="row").select(*named, pl.all())
    sliced = pl.DataFrame(parts, schema=_schema() | {"slice": pl.String}, orient="row")
    sliced = sliced.select(*named, "metric", "slice", "value", "low", "high", "n")
    written = questions.select(*named, pl.all()).sort("instruction_id", "key")
    write_parquet(table, out / "scores.parquet")
    write_parquet(written, out / "questions.parquet")
    write_parquet(sliced, out / "slices.parquet")
    unknown = predicted.join(asked, on="instruction_id", how="anti")["instruction_id"].sort().to_list()
    return Outcome(
        metadata=metadata(written, table, sliced),
        checks=checks(rows, written, unknown),
        tables={
            "scores": ["scores.parquet"],
            "scored_questions": ["questions.parquet"],
            "score_slices": ["slices.parquet"],
        },
    )


def _require_predictions_of(run: str, eval_set: str, predicted: pl.DataFrame, path: Path) -> None:
    others = predicted.select("run", "eval_set").unique().sort("run", "eval_set").rows()
    others = [pair for pair in others if pair != (run, eval_set)]
    if others:
        listed = ", ".join(f"{name} on {on}" for name, on in others)
        raise ScoringError(
            f"{path.name}: holds predictions of {listed}, and not only of {run} on {eval_set}; "
            "score each run with its own predictions"
        )


def _schema() -> dict[str, Any]:
    import polars as pl

    values = dict.fromkeys(("value", "low", "high"), pl.Float64)
    return {"metric": pl.String, **values, "n": pl.Int64}


def _scores(questions: pl.DataFrame, wanted: tuple[Measure, ...], seed: int) -> list[Score]:
    """Return every score of these questions with its interval, all of them over the same resamples."""
    import numpy as np

    if not questions["gold"].count():
        return [(one.name, None, None, None, len(questions)) for one in wanted]
    parts = [one.parts(questions) for one in wanted]
    sums = resampled_sums(np.concatenate(parts, axis=1), questions["cluster"].to_list(), seed=seed)
    ends = np.cumsum([part.shape[1] for part in parts])[:-1]
    return [_score(one, questions, own) for one, own in zip(wanted, np.split(sums, ends, axis=1), strict=True)]


def _score(measure: Measure, questions: pl.DataFrame, sums: Any) -> Score:
    import numpy as np

    n = measure.counted(questions)
    if not n:
        return (measure.name, None, None, None, 0)
    # A resample may hold no question that counts; it says nothing. A perplexity may be beyond all numbers.
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        value, values = measure.value(questions), measure.values(sums)
    low, high = bounds(values[~np.isnan(values)])
    # Bounds are made of rounded values, and must not leave out the score for that.
    return (measure.name, value, min(low, value), max(high, value), n)
