"""ROUGE by the rouge-score library, whose tokens are those of English; here other scripts have tokens too."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

# The library's name of a measure and the project's.
MEASURES = {"rouge1": "rouge_1", "rouge2": "rouge_2", "rougeL": "rouge_l"}
_ONE_BY_ONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003134f"
# The library splits Latin words at letters with accents, and so does this: its numbers are the published ones.
_LATIN = "\u0000-\u024f\u1e00-\u1eff"
_TOKEN = re.compile(rf"[a-z0-9]+|[{_ONE_BY_ONE}]|(?:(?![{_LATIN}{_ONE_BY_ONE}])[^\W_])+")


class Tokens:
    """Tokens of rouge-score, stemmed as it does; Chinese and Japanese by the character, other scripts by the word."""

    def __init__(self) -> None:
        from nltk.stem import porter

        self._stem = lru_cache(1 << 16)(porter.PorterStemmer().stem)

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens of a text."""
        return [self._stem(token) if len(token) > 3 else token for token in _TOKEN.findall(text.lower())]


def judge(asked: pl.DataFrame) -> pl.DataFrame:
    """Return ROUGE-1, ROUGE-2 and ROUGE-L of each answer: the F-measure, the best over its accepted answers."""
    import polars as pl
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(MEASURES), tokenizer=Tokens())
    nothing = dict.fromkeys(MEASURES, 0.0)
    rows = [
        {name: score.fmeasure for name, score in scorer.score_multi(golds, said).items()} if said and golds else nothing
        for said, golds in asked.select("answer", "gold_answers").iter_rows()
    ]
    return pl.DataFrame(rows, schema=dict.fromkeys(MEASURES, pl.Float64)).rename(MEASURES)
