"""What predictions say of themselves: figures for people, and whether every prompt fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from rc_pipeline.lake.frames import preview
from rc_pipeline.lake.outcome import JSON, Check, Outcome

if TYPE_CHECKING:
    import polars as pl


def outcome(frame: pl.DataFrame, choose_by: Sequence[str], counts: Mapping[str, JSON]) -> Outcome:
    """Return the outcome of a table of predictions."""
    problems: dict[str, JSON] = {
        "prompt_too_long": 0,
        **dict(frame["problem"].drop_nulls().value_counts(sort=True).iter_rows()),
    }
    unasked = frame.filter(frame["prompt_tokens"].is_null())["problem"].value_counts(sort=True)
    metadata: dict[str, JSON] = {
        "rows": frame.height,
        **counts,
        **problems,
        "passages_cut": int((frame["passage_tokens_cut"] > 0).sum()),
        "shots_dropped": int(frame["shots_dropped"].sum()),
        "turns_dropped": int(frame["turns_dropped"].sum()),
        "answers_cut_off": int((~frame["finished"] & frame["problem"].is_null()).sum()),
        **_agreement_of_ways(frame, choose_by),
        "predictions": preview(frame.select("instruction_id", "answer", "choice", "answer_tokens", "problem")),
    }
    fits = Check(
        "every_prompt_fits",
        passed=unasked.is_empty(),
        blocking=False,
        description="The prompt holds all of every question; a question that it cannot hold counts as answered wrong.",
        metadata={"prompt_too_long": 0, **dict(unasked.iter_rows())},
    )
    tables = {"predictions": ["predictions.parquet"], "latency": ["_latency.parquet"]}
    return Outcome(metadata=metadata, checks=(fits,), tables=tables)


def _agreement_of_ways(frame: pl.DataFrame, choose_by: Sequence[str]) -> dict[str, JSON]:
    """Return how often ways to choose agree; one that finds no option agrees with none."""
    import polars as pl

    chosen = {way: pl.col(f"choice_{way}") for way in choose_by}
    either = frame.filter(pl.any_horizontal(column.is_not_null() for column in chosen.values()))
    shares = {
        f"{one}_agrees_with_{other}": either.select((chosen[one] == chosen[other]).fill_null(value=False).mean()).item()
        for one, other in combinations(choose_by, 2)
    }
    return {name: f"{100 * share:.1f} %" for name, share in shares.items() if share is not None}
