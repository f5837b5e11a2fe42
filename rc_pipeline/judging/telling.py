"""A file of judgements in a few lines, and as one JSON object; what is stale is counted and not scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rc_pipeline.judging.replies import grade_of, verdict_of
from rc_pipeline.judging.tallies import graded, pairwise
from rc_pipeline.judging.verdicts import UNREADABLE
from rc_pipeline.xray.visible import shortened, visible

if TYPE_CHECKING:
    import polars as pl


def summary(frame: pl.DataFrame, fresh: pl.Expr | None) -> dict[str, Any]:
    """Return what judgements come to; without `fresh` none is of answers that stand."""
    import polars as pl

    first = frame.row(0, named=True)
    scored = frame.clear() if fresh is None else frame.filter(fresh)
    unreadable = scored.filter(pl.col("outcome") == UNREADABLE).select("reply", "reply_swapped").head(1)
    understood = verdict_of if first["kind"] == "pairs" else grade_of
    about = {
        name: first[name] for name in ("judgement", "kind", "judged_by", "prompt", "seed", "eval_set", "run_a", "run_b")
    }
    tally = pairwise(scored) if first["kind"] == "pairs" else graded(scored)
    return about | {
        "judges": sorted(set(frame["judge"])),
        "judgements": frame.height,
        "stale": frame.height - scored.height,
        **asdict(tally),
        "unreadable_reply": next((said for row in unreadable.rows() for said in row if understood(said) is None), None),
    }


def lines(told: Mapping[str, Any]) -> list[str]:
    """Return a summary in words."""
    against = f" against {told['run_b']}" if told["run_b"] else ""
    how = f" with {told['prompt']}" if told["prompt"] else ""
    found = [f"{told['run_a']}{against} on {told['eval_set']}, judged by {visible(', '.join(told['judges']))}{how}"]
    if told["stale"]:
        found.append(
            f"stale         {told['stale']} of {told['judgements']} judgements are of answers that no longer stand; "
            "they are not scored"
        )
    if told["stale"] < told["judgements"]:
        found += _pair_lines(told) if told["kind"] == "pairs" else _grade_lines(told)
    if told["unreadable_reply"] is not None:
        reply = " ".join(visible(told["unreadable_reply"]).split())
        found.append(f"unreadable    such as: {shortened(reply, 160)}")
    return found


def _pair_lines(told: Mapping[str, Any]) -> list[str]:
    counts = ", ".join(f"{name} {count}" for name, count in told["outcomes"].items())
    found = [f"verdicts      {counts}; the same answer: {told['same_answer']}"]
    rate, turned, p = told["win_rate"], told["inconsistent"], told["sign_test_p"]
    if rate is not None:
        found.append(f"win rate      {_percent(rate)} of {rate['n']}; a tie or an inconsistent verdict counts half")
        found.append("sign test     " + (f"p = {p:.4g}" if p is not None else "no question sets the two apart"))
    if turned is not None:
        found.append(
            f"order         {_percent(turned)} of {turned['n']} verdicts turn with the order: {told['favours_first']} "
            f"to the first place, {told['favours_second']} to the second"
        )
    return found


def _grade_lines(told: Mapping[str, Any]) -> list[str]:
    counts = ", ".join(f"{grade}: {count}" for grade, count in told["grades"].items())
    mean = told["mean"]
    found = [f"grades        {counts}; unreadable: {told['unreadable']}"]
    return found + (
        [f"mean          {mean['value']:.2f} [{mean['low']:.2f}, {mean['high']:.2f}] of {mean['n']}"] if mean else []
    )


def _percent(interval: Mapping[str, float]) -> str:
    value, low, high = (100 * interval[name] for name in ("value", "low", "high"))
    return f"{value:.1f} % [{low:.1f}, {high:.1f}]"
