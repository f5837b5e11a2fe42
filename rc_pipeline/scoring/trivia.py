"""TriviaQA's own way to compare an answer with the accepted ones.

Punctuation becomes a space and is not deleted, so "Blvd." equals "Blvd" but "U.S." is two tokens;
scores made with SQuAD's rules are not comparable with these.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

QUOTES = "‘’´`"
# string.punctuation holds the underscore too.
_TO_SPACE = str.maketrans(dict.fromkeys(string.punctuation + QUOTES, " "))
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")


@dataclass(frozen=True)
class Match:
    """How well one prediction meets the accepted answers: both the best over all of them."""

    exact: bool
    f1: float


NO_MATCH = Match(exact=False, f1=0.0)


# The same aliases come again for every page that a question of the Web domain is asked on.
@lru_cache(maxsize=1 << 16)
def normalise(text: str) -> str:
    """Return the text lower-cased, without punctuation, articles and superfluous white space."""
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_TO_SPACE)).split())


def f1(prediction: Sequence[str], gold: Sequence[str]) -> float:
    """Return the harmonic mean of precision and recall over the tokens that two answers share."""
    shared = (Counter(prediction) & Counter(gold)).total()
    if shared == 0:
        return 0.0
    precision, recall = shared / len(prediction), shared / len(gold)
    return 2 * precision * recall / (precision + recall)


def best_match(prediction: str | None, gold_answers: Sequence[str]) -> Match:
    """Compare a prediction with every accepted answer; nothing said or nothing accepted is no match."""
    if prediction is None or not prediction.strip() or not gold_answers:
        return NO_MATCH
    # Not through the cache, where a rambling model's answers would push the aliases out.
    said = normalise.__wrapped__(prediction)
    accepted = {normalise(answer) for answer in gold_answers}
    tokens = said.split()
    return Match(exact=said in accepted, f1=max(f1(tokens, answer.split()) for answer in accepted))
