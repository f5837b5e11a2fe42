"""Short answers by the rules of SQuAD, and by those of CMRC 2018 where the accepted answers are Chinese.

SQuAD deletes punctuation, where TriviaQA puts a space. CMRC compares characters, and counts the longest run of them
that two answers share; between Chinese characters, this module parts other words at white space.

Of a question that its passage does not answer, SQuAD 2.0 accepts the empty answer; here it is one of those accepted.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from rc_pipeline.scoring.matching import match_lists
from rc_pipeline.scoring.normalising import Rules

if TYPE_CHECKING:
    import polars as pl

CHINESE = r"[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003134f]"
NO_ANSWER = ""
RULES = Rules(dict.fromkeys(map(ord, string.punctuation), ""))
# An ellipsis is not among them: CMRC's scorer lists it as two characters, which no single one equals.
_CMRC_MARKS = dict.fromkeys(map(ord, "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』"), "")
_CMRC_TOKEN = re.compile(rf"{CHINESE}|(?:(?!{CHINESE})\S)+")


def judge(said: pl.Series, accepted: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return (exact, F1) of each answer, the best over its accepted answers; there is no half of no answer."""
    import polars as pl

    exact, f1 = match_lists(said, accepted, RULES)
    chinese = accepted.list.join("\n").str.contains(CHINESE).fill_null(value=False)
    at = (chinese & said.is_not_null()).arg_true()
    found = [cmrc_match(*pair) for pair in zip(said.gather(at), accepted.gather(at).to_list(), strict=True)]
    exact = exact.scatter(at, pl.Series([whole for whole, _ in found], dtype=pl.Boolean))
    f1 = f1.scatter(at, pl.Series([part for _, part in found], dtype=pl.Float64))
    return exact, exact.cast(pl.Float64).zip_with(unanswerable(accepted), f1)


def unanswerable(accepted: pl.Series) -> pl.Series:
    """Tell which questions are right to be left without an answer."""
    return accepted.list.contains(NO_ANSWER).fill_null(value=False)


def cmrc_match(said: str, accepted: Sequence[str]) -> tuple[bool, float]:
    """Return (exact, F1) of one answer by its characters; only an unbroken run of them counts as shared."""
    plain, golds = _plain(said), list(map(_plain, accepted))
    tokens = _CMRC_TOKEN.findall(plain)
    return plain in golds, max(_run_f1(tokens, _CMRC_TOKEN.findall(gold)) for gold in golds)


def _plain(text: str) -> str:
    # White space that only a mark parted from the text's end stays, as it does there.
    return text.lower().strip().translate(_CMRC_MARKS)


def _run_f1(said: list[str], gold: list[str]) -> float:
    shared = SequenceMatcher(None, said, gold, autojunk=False).find_longest_match().size
    if not shared:
        return 0.0
    precision, recall = shared / len(said), shared / len(gold)
    return 2 * precision * recall / (precision + recall)
