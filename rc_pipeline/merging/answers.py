"""Whether merged weights answer as the run did, and score as it did, before anybody gets them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.lake.outcome import JSON, Check

if TYPE_CHECKING:
    import polars as pl

    from rc_pipeline.worker import Progress

# Over all evaluation sets together.
QUESTIONS = 64
# By how many points a measure may fall on these questions.
POINTS = 5.0
LOWER_IS_BETTER = {"perplexity"}


def answer_checks(spec: Mapping[str, Any], scratch: Path, progress: Progress) -> tuple[list[Check], dict[str, JSON]]:
    """Ask the published folder the first questions of every evaluation set and compare it with what the run said."""
    import polars as pl

    published = {"base": spec["base"] | {"folder": spec["out"]}, "adapter": None}
    asked, equal, differing, falls = 0, 0, 0, dict[str, JSON]()
    for number, one in enumerate(spec["asked"]):
        rows = max(1, QUESTIONS // len(spec["asked"]))
        place = scratch / f"answers_{number}"
        now = _ask(one, published, rows, place / "published", progress)
        stored = pl.read_parquet(one["predictions"]).join(now, on="instruction_id", how="semi")
        different = _different(now, stored)
        asked, equal = asked + now.height, equal + now.height - different.height
        if different.height and _must_be_equal(spec["dtype"]):
            # Stored answers may be those of another kind of machine, whose sums are others: this one's own decide.
            own = {"base": spec["base"], "adapter": spec["adapter"]}
            differing += _different(now, _ask(one, own, rows, place / "own", progress)).height
        falls |= _falls(one, stored, now, place)
    return [_agreement(spec["dtype"], asked, equal, differing), _score_check(falls)], {
        "questions_compared": asked,
        "equal_answers": f"{100 * equal / asked:.1f} %",
    }


def _must_be_equal(dtype: str) -> bool:
    from rc_pipeline.models.loading import best_device

    # On a GPU all answers are computed in bfloat16, merged or not.
    return dtype == "fp32" and best_device() == "cpu"


def _ask(one: Mapping[str, Any], model: Mapping[str, Any], rows: int, out: Path, progress: Progress) -> pl.DataFrame:
    import polars as pl

    from rc_pipeline.prediction.run import predict

    out.mkdir(parents=True)
    told = {name: value for name, value in one["prediction"].items() if name != "pending"}
    fewer = min(rows, told["rows"] or rows)
    # The weights keep their name, so that what chance draws is drawn as it was; the cache is this model's own.
    predict(told | {**model, "rows": fewer, "cache": str(out / "cache"), "out": str(out)}, progress)
    return pl.read_parquet(out / "predictions.parquet")


def _different(now: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    both = now.join(before, on="instruction_id", suffix="_before")
    return both.filter(pl.col("answer").ne_missing(pl.col("answer_before")))


def _falls(one: Mapping[str, Any], stored: pl.DataFrame, now: pl.DataFrame, place: Path) -> dict[str, JSON]:
    """Return by how many points each measure is lower than the run's on the same questions."""
    import polars as pl

    from rc_pipeline.scoring.build import score

    values = []
    for name, predicted in (("stored", stored), ("published", now)):
        out = place / f"scores_{name}"
        write_parquet(predicted, out / "predictions.parquet")
        instructions = Path(one["prediction"]["instructions"][0])
        limit = now["row_id"].n_unique()
        score(
            **one["scoring"],
            predictions=out / "predictions.parquet",
            instructions=instructions,
            limit=limit,
            out=out,
        )
        values.append(dict(pl.read_parquet(out / "scores.parquet").select("metric", "value").iter_rows()))
    before, after = values
    return {
        f"{one['prediction']['eval_set']} {metric}": round(before[metric] - after[metric], 2)
        for metric in before
        if metric not in LOWER_IS_BETTER and before[metric] is not None and after.get(metric) is not None
    }


def _agreement(dtype: str, asked: int, equal: int, differing: int) -> Check:
    exact = _must_be_equal(dtype)
    said = "Every answer is the run's." if exact else "How many answers are the run's; rounding may change some."
    counts: dict[str, JSON] = {"questions": asked, "equal": equal}
    return Check(
        "published_answers_equal_the_run",
        passed=not differing,
        description=said,
        metadata=counts | ({"differ_on_this_machine": differing} if exact else {}),
    )


def _score_check(falls: Mapping[str, JSON]) -> Check:
    worst = max((float(fall) for fall in falls.values() if isinstance(fall, float)), default=0.0)
    return Check(
        "published_scores_hold",
        passed=worst <= POINTS,
        description=f"On these questions no measure falls by more than {POINTS:g} points.",
        metadata={f"fall of {name}": fall for name, fall in falls.items()},
    )
