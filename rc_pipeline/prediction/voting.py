"""From what a model wrote to its answer: the text behind a mark, and the answer that most samples give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

NO_MARK = "no_answer_mark"


@dataclass(frozen=True)
class Verdict:
    """The answer, the text that gave it, and the share of samples that agree with it."""

    answer: str
    written: str
    agreement: float
    problem: str | None = None


def answer_in(text: str, mark: str | None) -> str | None:
    """Return the first line behind the last mark, None where it is missing; without a mark, the whole text."""
    if not mark:
        return text.strip()
    _, found, rest = text.rpartition(mark)
    if not found:
        return None
    return next((line.strip() for line in rest.splitlines() if line.strip()), "")


def vote(texts: Sequence[str], mark: str | None) -> Verdict:
    """Return what most texts answer, told apart without regard to case and white space; of equals, the first given."""
    answers = [(answer_in(text, mark), text) for text in texts]
    given = [(answer, text) for answer, text in answers if answer is not None]
    if not given:
        return Verdict("", texts[0], 0.0, NO_MARK)
    votes = Counter(_folded(answer) for answer, _ in given)
    best = max(votes.values())
    answer, text = next((answer, text) for answer, text in given if votes[_folded(answer)] == best)
    return Verdict(answer, text, best / len(texts))


def _folded(answer: str) -> str:
    return " ".join(answer.casefold().split()).rstrip(".。")
