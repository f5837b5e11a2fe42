"""The kinds of answers, and how each is judged: what columns the verdicts get, and which scores are made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rc_pipeline.scoring import choices, identity, rouge, squad, translation, trivia
from rc_pipeline.scoring.measures import Mean, Measure, OfCounts, Perplexity

if TYPE_CHECKING:
    import polars as pl

# Each kind and its scores; an accuracy for each way of choosing, and a perplexity, come on top where they were asked.
KINDS: dict[str, tuple[Measure, ...]] = {
    "choices": (Mean("accuracy"),),
    "trivia_qa": (Mean("exact_match"), Mean("f1")),
    "squad": (Mean("exact_match"), Mean("f1")),
    "rouge": (*(Mean(name) for name in rouge.MEASURES.values()), Mean("exact_match")),
    "translation": (
        OfCounts("bleu", "bleu_counts", translation.bleu),
        OfCounts("chrf", "chrf_counts", translation.chrf),
        Mean("sentence_chrf"),
    ),
    "identity": (Mean("identity_recall"),),
}
EXACT = {"choices": "accuracy", "trivia_qa": "exact_match", "squad": "exact_match", "rouge": "exact_match"}


def judge(kind: str, asked: pl.DataFrame, about: Mapping[str, Any]) -> pl.DataFrame:
    """Return the verdicts on rows with answer and gold: `correct`, and a column for each score of the kind."""
    import polars as pl

    match kind:
        case "choices":
            found = choices.judge(asked)
        case "trivia_qa" | "squad":
            rules = trivia if kind == "trivia_qa" else squad
            exact, f1 = rules.judge(asked["answer"], asked["gold_answers"])
            found = pl.DataFrame({"exact_match": exact.cast(pl.Float64), "f1": f1})
            if kind == "squad":
                found = found.with_columns(answerable=~squad.unanswerable(asked["gold_answers"]))
        case "rouge":
            found = rouge.judge(asked).with_columns(exact_match=choices.said_in_words(asked).cast(pl.Float64))
        case "translation":
            found = translation.judge(asked, str(about["language"]))
        case _:
            found = identity.judge(asked, about["facts"])
    correct = found[EXACT[kind]] == 1 if kind in EXACT else choices.said_in_words(asked)
    return found.with_columns(correct=correct)


def measures(kind: str, questions: pl.DataFrame) -> tuple[Measure, ...]:
    """Return the scores that can be made of these verdicts."""
    ways = (Mean(name) for name in questions.columns if name.startswith("accuracy_"))
    surprise = "gold_logprob" in questions.columns and questions["gold_logprob"].count() > 0
    return (*KINDS[kind], *ways, *([Perplexity()] if surprise else []))
