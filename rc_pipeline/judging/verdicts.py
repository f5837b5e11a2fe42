"""The verdicts of a model on answers: each pair is shown in both orders, and one that turns with them is no verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rc_pipeline.judging.cards import JudgeCard
from rc_pipeline.judging.items import Item
from rc_pipeline.judging.replies import Place, grade_of, verdict_of
from rc_pipeline.judging.requests import grade_request, pair_request

Ask = Callable[[Sequence[str]], list[str]]
WIN, LOSS, TIE, INCONSISTENT, UNREADABLE = "win", "loss", "tie", "inconsistent", "unreadable"
SWAPPED: dict[Place, Place] = {"first": "second", "second": "first", "tie": "tie"}
OUTCOMES: dict[Place, str] = {"first": WIN, "second": LOSS, "tie": TIE}


@dataclass(frozen=True)
class Verdict:
    """What was found of one item, for the first run; `favours` is the place that an inconsistent judge prefers."""

    item: Item
    outcome: str | None = None
    grade: int | None = None
    favours: str | None = None
    reply: str | None = None
    reply_swapped: str | None = None


def judge_pairs(card: JudgeCard, items: Sequence[Item], ask: Ask) -> list[Verdict]:
    """Return a verdict on each pair of answers; equal ones are a tie that nobody has to be asked about."""
    different = [item for item in items if not _same(item)]
    requests = [pair_request(card, item, swapped=swapped) for item in different for swapped in (False, True)]
    replies = iter(ask(requests))
    return [Verdict(item, TIE) if _same(item) else _verdict(item, next(replies), next(replies)) for item in items]


def judge_grades(card: JudgeCard, items: Sequence[Item], ask: Ask) -> list[Verdict]:
    """Return a grade of each answer."""
    replies = ask([grade_request(card, item) for item in items])
    return [_graded(item, reply) for item, reply in zip(items, replies, strict=True)]


def _same(item: Item) -> bool:
    first, second = item.answers
    return first.strip() == second.strip()


def _graded(item: Item, reply: str) -> Verdict:
    grade = grade_of(reply)
    return Verdict(item, UNREADABLE if grade is None else None, grade, reply=reply)


def _verdict(item: Item, reply: str, swapped: str) -> Verdict:
    one, other = verdict_of(reply), verdict_of(swapped)
    favours = None
    if one is None or other is None:
        outcome = UNREADABLE
    elif one == SWAPPED[other]:
        outcome = OUTCOMES[one]
    else:
        # With one tie among them the judge leans to a place, and does not hold on to it.
        outcome, favours = INCONSISTENT, one if one == other else None
    return Verdict(item, outcome, favours=favours, reply=reply, reply_swapped=swapped)
