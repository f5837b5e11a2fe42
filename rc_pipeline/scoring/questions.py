"""The verdict on every question: what was answered, what was right, what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rc_pipeline.scoring.kinds import judge
from rc_pipeline.scoring.reading import by_key
from rc_pipeline.scoring.slices import has_none_option, question_word
from rc_pipeline.scoring.squad import NO_ANSWER

if TYPE_CHECKING:
    import polars as pl

BETWEEN_GOLD_ANSWERS = " | "
# Characters that move a cursor or ring a bell; tabs and line ends are layout.
CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
ABOUT = ("instruction_id", "key", "row_id", "template", "answer", "gold", "correct", "f1", "problem")
FACTS = ("question_word", "passage_words", "choice", "gold_label", "has_none_option")
PERPLEXITY = ("gold_logprob", "gold_tokens")


def verdicts(rows: pl.DataFrame, kind: str, about: Mapping[str, Any]) -> pl.DataFrame:
    """Return a verdict for each key, in the order of the rows; what has no prediction is wrong."""
    import polars as pl

    if kind == "squad":
        rows = rows.with_columns(gold_answers=_or_none())
    judged = judge(kind, rows, about)
    if "f1" not in judged.columns:
        judged = judged.with_columns(f1=pl.lit(None, pl.Float64))
    said = pl.element().filter(pl.element() != NO_ANSWER)
    gold = pl.col("gold_answers").list.eval(said).list.join(BETWEEN_GOLD_ANSWERS)
    told = rows.with_columns(
        pl.col("choice", "gold_label").cast(pl.Int32),
        gold=pl.when(pl.col("gold_answers").list.len() > 0).then(gold),
        problem=_problem(),
        question_word=question_word(),
        has_none_option=has_none_option(),
    )
    questions = by_key(pl.concat([told, judged], how="horizontal"))
    known = PERPLEXITY if questions["gold_logprob"].count() else ()
    values = [name for name in judged.columns if name not in ABOUT]
    return questions.select(*ABOUT, *FACTS, *values, *known, cluster=_cluster())


def _or_none() -> pl.Expr:
    """Where a passage holds no answer, accept none, and what the template says instead, such as "unanswerable".

    Without a word of the template, that no answer is known tells so only where other questions of the set have one.
    """
    import polars as pl

    none = pl.col("gold_answers").list.len() == 0
    instead = pl.concat_list("output", pl.lit(NO_ANSWER))
    return (
        pl.when(none & (pl.col("output").str.strip_chars() != "")).then(instead)
        .when(none & ~none.all()).then(pl.lit([NO_ANSWER]))
        .otherwise("gold_answers")
    )  # fmt: skip


def _problem() -> pl.Expr:
    """Say why a verdict deserves a second look; an odd answer is judged by the same rules as any other."""
    import polars as pl

    reasons = {
        "missing_prediction": ~pl.col("predicted"),
        "": pl.col("problem").is_not_null(),
        "no_gold_answer": pl.col("gold_answers").list.len() == 0,
        "empty_answer": pl.col("answer").fill_null("").str.strip_chars() == "",
        "control_characters": pl.col("answer").str.contains(CONTROL),
        "unfinished_answer": (pl.col("finished") == False) & (pl.col("choices").list.len() == 0),  # noqa: E712
    }
    return pl.coalesce(
        pl.when(found).then(pl.lit(name) if name else pl.col("problem")) for name, found in reasons.items()
    )


def _cluster() -> pl.Expr:
    """What is drawn together: the questions about one passage, and all answers to one question."""
    import polars as pl

    return pl.coalesce("group", "row_id").first().over("row_id")
