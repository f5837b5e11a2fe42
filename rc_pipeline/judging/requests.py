"""The request to a judge. What others wrote stands between marks that it cannot hold, and is called material."""

from __future__ import annotations

import re

from rc_pipeline.instructions.sandbox import compiled, render
from rc_pipeline.judging.cards import JudgeCard
from rc_pipeline.judging.items import Item
from rc_pipeline.lake.canonical import sha256_json

_MARKS = re.compile("<{3,}|>{3,}")
_HARMLESS = str.maketrans("<>", "‹›")


def pair_request(card: JudgeCard, item: Item, *, swapped: bool) -> str:
    """Return the question which of two answers is better, the second one first if swapped."""
    first, second = reversed(item.answers) if swapped else item.answers
    return _request(card, item, {"answer_a": first, "answer_b": second})


def grade_request(card: JudgeCard, item: Item) -> str:
    """Return the question how good an answer is."""
    return _request(card, item, {"answer": item.answers[0]})


def _request(card: JudgeCard, item: Item, answers: dict[str, str]) -> str:
    # Made of the material, so that both orders have the same and no text can hold its own.
    mark = item.digest[:12]
    accepted = "\n".join(item.accepted)
    texts = {"question": item.question, "passage": item.passage, "accepted": accepted} | answers
    fenced = {
        name: _fenced(name, text, mark) if text.strip() or name in answers else "" for name, text in texts.items()
    }
    return render(compiled(card.prompt), fenced | {"mark": mark})


def _fenced(name: str, text: str, mark: str) -> str:
    harmless = _MARKS.sub(lambda found: found[0].translate(_HARMLESS), text).replace(mark, "…")
    return f"<<<{name} {mark}>>>\n{harmless}\n<<<end of {name} {mark}>>>"


def words_digest(card: JudgeCard) -> str:
    """Return what tells the words of one judge from another's."""
    return sha256_json([card.kind, card.prompt])[:16]
