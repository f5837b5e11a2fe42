"""Numbers as they stand in the cells of tables."""

from __future__ import annotations

from rc_pipeline.reporting.document import Num, Piece, Strong, Text, said
from rc_pipeline.reporting.scoreboard import NO_SCORE, Column, Score

NONE: Text = (NO_SCORE,)


def figure(identity: str, value: float | None, form: str) -> Piece:
    """Return a number in a form such as .1f, or a dash where there is none."""
    return NO_SCORE if value is None else Num(identity, format(value, form), value)


def score_id(run: str, column: Column, field: str) -> str:
    """Return where a score is looked up."""
    return f"scores/{run}/{column.eval_set}:{column.metric}:{field}"


def score_cell(score: Score | None, identity: str, *, best: bool = False, n: bool = False) -> Text:
    """Return a score with its interval."""
    if score is None:
        return NONE
    if score.value is None or score.low is None or score.high is None:
        return (str(score),)
    value, low, high = (
        Num(f"{identity}{name}", f"{figure:.1f}", figure)
        for name, figure in (("value", score.value), ("low", score.low), ("high", score.high))
    )
    shown: Piece = Strong((value,)) if best else value
    text = said("{} [{}, {}]", shown, low, high)
    return (*text, *said(" (n = {})", Num(f"{identity}n", f"{score.n:,}", score.n))) if n else text
