"""The verdicts on single questions, read from the files of runs, and the draws that tell how far to trust them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rc_pipeline.reporting.scoreboard import ReportError, Score
from rc_pipeline.scoring.intervals import RESAMPLES, bounds, resampled_sums
from rc_pipeline.scoring.kinds import KINDS
from rc_pipeline.scoring.measures import Mean, Measure, OfCounts, Perplexity

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

SEED = 0
# How a flipped question is told: the columns of the warehouse's view `flipped`.
FLIPPED = dict.fromkeys(
    ("study", "run_a", "run_b", "eval_set", "key", "row_id", "instruction_a", "instruction_b", "gold", "answer_a",
     "answer_b", "change"), str
)  # fmt: skip


def read_verdicts(file: Path) -> pl.DataFrame:
    """Return a row a question, by key; `cluster` is what questions share that are answered alike."""
    import polars as pl

    try:
        frame = pl.read_parquet(file)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ReportError(f"{file}: verdicts cannot be read ({error}); score the run again") from error
    # One question may count under several keys, and several questions may be asked of one passage.
    cluster = pl.coalesce(*(name for name in ("cluster", "row_id") if name in frame.columns))
    return frame.with_columns(cluster=cluster).sort("key")


def aligned(frames: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Return the verdicts on the questions that all runs were asked."""
    first = next(iter(frames.values()), None)
    if first is None or all(frame["key"].equals(first["key"]) for frame in frames.values()):
        return dict(frames)
    shared = set(first["key"]).intersection(*(frame["key"] for frame in frames.values()))
    return {run: frame.filter(frame["key"].is_in(list(shared))) for run, frame in frames.items()}


def measure_of(metric: str, columns: Collection[str]) -> Measure | None:
    """Return how a metric is made of verdicts; None where the columns for it are missing."""
    if metric in columns:
        return Mean(metric)
    known = {one.name: one for kind in KINDS.values() for one in kind if isinstance(one, OfCounts)}
    if metric in known and known[metric].column in columns:
        return known[metric]
    return Perplexity() if metric == Perplexity.name and "gold_logprob" in columns else None


def without(questions: pl.DataFrame, hidden: Collection[str]) -> pl.DataFrame:
    """Return the verdicts on all rows but the hidden ones."""
    return questions.filter(~questions["row_id"].is_in(list(hidden)))


def score_over(questions: pl.DataFrame, measure: Measure) -> Score:
    """Return the score of these questions alone, with its interval."""
    if not measure.counted(questions):
        return Score(None, None, None, 0)
    values = resampled_scores({"": questions}, [measure], RESAMPLES)["", measure.name]
    return Score(measure.value(questions), *bounds(finite(values)), measure.counted(questions))


def finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values of those resamples that held a question that counts."""
    import numpy as np

    return values[np.isfinite(values)]


def resampled_scores(
    frames: Mapping[str, pl.DataFrame], measures: Sequence[Measure], resamples: int
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Return resampled values by (run, metric), all over the same draws of clusters of questions."""
    import numpy as np

    asked = [(run, measure) for run in frames for measure in measures]
    parts = [measure.parts(frames[run]) for run, measure in asked]
    clusters = next(iter(frames.values()))["cluster"].to_list()
    sums = resampled_sums(np.concatenate(parts, axis=1), clusters, seed=SEED, resamples=resamples)
    own = np.split(sums, np.cumsum([part.shape[1] for part in parts])[:-1], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {(run, one.name): one.values(drawn) for (run, one), drawn in zip(asked, own, strict=True)}


def flips(a: pl.DataFrame, b: pl.DataFrame, about: Sequence[str]) -> pl.DataFrame:
    """Return the questions whose verdict the second run changed, and both answers."""
    import polars as pl

    told = a.select("key", "row_id", "gold", "instruction_id", "answer", "correct")
    pairs = told.join(b.select("key", "instruction_id", "answer", "correct"), on="key", maintain_order="left")
    return pairs.filter(pl.col("correct") != pl.col("correct_right")).select(
        *(pl.lit(text).alias(name) for name, text in zip(FLIPPED, about, strict=False)), "key", "row_id",
        pl.col("instruction_id").alias("instruction_a"), pl.col("instruction_id_right").alias("instruction_b"), "gold",
        pl.col("answer").alias("answer_a"), pl.col("answer_right").alias("answer_b"),
        pl.when("correct_right").then(pl.lit("mended")).otherwise(pl.lit("broken")).alias("change"),
    )  # fmt: skip
