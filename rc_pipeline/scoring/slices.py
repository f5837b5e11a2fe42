"""Scores of parts of a set: by question word, with and without an answer or a "none of the above", by subject."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

# Chinese words stand before those that they contain.
WORDS = {
    "who": ("who", "whom", "whose", "谁", "何人", "哪位"),
    "when": ("when", "什么时候", "什么时间", "何时", "几时", "哪年", "哪一年", "哪天"),
    "where": ("where", "什么地方", "哪里", "哪儿", "何处", "何地"),
    "why": ("why", "为什么", "为何", "为啥"),
    "how": ("how", "怎么", "怎样", "如何", "多少", "多大", "多长", "多久", "几个"),
    "which": ("which", "哪个", "哪些", "哪种", "哪"),
    "what": ("what", "什么", "何"),
}
OTHER = "other"
NONE_OPTION = r"(?i)none of the (above|other|given)|以上(选项|答案)?(都|皆|均)(不|没|非)"
SLICED_BY = ("question_word", "has_none_option", "answerable", "part")
# A subject or a task is a part of a set; a split into more parts than this is not one that people read.
MOST_PARTS = 250


def question_word() -> pl.Expr:
    """Return the first question word of `question` in English, "other" where it has none, null without a question."""
    import polars as pl

    words = {word: name for name, own in WORDS.items() for word in own}
    # At one place the longest word counts: 什么时候 asks when, and not what.
    listed = sorted(words, key=len, reverse=True)
    latin = "|".join(word for word in listed if word.isascii())
    chinese = "|".join(word for word in listed if not word.isascii())
    found = pl.col("question").str.to_lowercase().str.extract(rf"\b(?:{latin})\b|{chinese}", 0)
    named = found.replace_strict(words, default=None, return_dtype=pl.String)
    return pl.when(pl.col("question").is_not_null()).then(named.fill_null(OTHER))


def has_none_option() -> pl.Expr:
    """Tell whether one of the choices is that none of them is right; null where there are no choices."""
    import polars as pl

    offered = pl.col("choices").list.len() > 0
    return pl.when(offered).then(pl.col("choices").list.eval(pl.element().str.contains(NONE_OPTION)).list.any())


def slices(questions: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield (name, verdicts) of every slice, such as question_word=why; a set that is all one slice has none."""
    import polars as pl

    # <dataset>/<split>/<part>/<row>: the part is a subject of MMLU, a task of BIG-bench.
    part = pl.col("row_id").str.extract(r"^[^/]+/[^/]+/(.+)/[^/]+$", 1)
    told = questions.with_columns(part=part)
    for column in (each for each in SLICED_BY if each in told.columns):
        values = told[column].drop_nulls().unique().sort().to_list()
        if 1 < len(values) <= MOST_PARTS:
            for value in values:
                shown = str(value).lower() if isinstance(value, bool) else value
                yield f"{column}={shown}", told.filter(pl.col(column) == value)
