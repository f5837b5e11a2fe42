"""TriviaQA's own way to compare an answer with the accepted ones.

Punctuation becomes a space and is not deleted, so "Blvd." equals "Blvd" but "U.S." is two tokens;
scores made with SQuAD's rules are not comparable with these.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from rc_pipeline.scoring.matching import match_lists
from rc_pipeline.scoring.normalising import Rules

if TYPE_CHECKING:
    import polars as pl

QUOTES = "‘’´`"
# string.punctuation holds the underscore too.
RULES = Rules(dict.fromkeys(map(ord, string.punctuation + QUOTES), " "))


def normalise(text: str) -> str:
    """Return the text lower-cased, without punctuation, articles and superfluous white space."""
    return RULES.normal(text)


def judge(said: pl.Series, accepted: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return (exact, F1) of each answer, the best over its accepted answers."""
    return match_lists(said, accepted, RULES)
