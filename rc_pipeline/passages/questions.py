"""The questions of all splits, numbered, with what is looked for and the documents to look in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from rc_pipeline.passages.errors import PassagesError
from rc_pipeline.passages.phrases import Phrases, answer_phrases, by_question, joined, term_phrases
from rc_pipeline.passages.units import Flags, Ints

# Questions are worked on in blocks of this many; a block never holds questions of two splits.
BLOCK = 1024
NO_EVIDENCE = "no_evidence"
NO_ALIAS = "no_alias_in_evidence"
NOT_VERIFIED = "not_verified"
VERIFIED = "verified-"


@dataclass(frozen=True)
class Split:
    """One split; its questions have the numbers from `first` on."""

    name: str
    training: bool
    first: int
    row_ids: pl.Series
    answered: Flags
    not_verified: list[str]

    @property
    def blocks(self) -> range:
        """The numbers of the split's blocks."""
        return range(self.first // BLOCK, -(-(self.first + len(self.row_ids)) // BLOCK))


@dataclass(frozen=True)
class Questions:
    """All questions and the documents that they cite: `document` is a place in `documents`, pairs sorted by it."""

    splits: list[Split]
    phrases: Phrases
    documents: pl.Series
    document: Ints
    question: Ints
    rank: Ints


def read_questions(tables: Path, splits: Sequence[str], train_splits: Sequence[str]) -> Questions:
    """Read the splits that the tables hold."""
    found, phrases, pages, first = [], [], [], 0
    for name in splits:
        if not (tables / "questions" / f"{name}.parquet").is_file():
            continue
        questions, not_verified = _questions(tables, name)
        answers = pl.read_parquet(tables / "answers" / f"{name}.parquet", columns=["row_id", "alias"])
        answers = _numbered(answers, questions)
        answered = np.zeros(questions.height, np.bool_)
        answered[answers["question"].to_numpy()] = True
        phrases += _phrases(questions, answers, first)
        pages.append(_pages(tables, name, questions).with_columns(pl.col("question") + first))
        found.append(Split(name, name in train_splits, first, questions["row_id"], answered, not_verified))
        first = BLOCK * found[-1].blocks.stop
    if not found:
        raise PassagesError(f"{tables / 'questions'}: none of {', '.join(splits)}; build the tables again")
    cited = pl.concat(pages)
    documents = cited["evidence_id"].unique().sort()
    numbers = pl.DataFrame({"evidence_id": documents, "document": np.arange(len(documents))})
    cited = cited.join(numbers, on="evidence_id").sort("document", "question")
    columns = (cited[name].to_numpy() for name in ("document", "question", "rank"))
    return Questions(found, by_question(joined(phrases)), documents, *columns)


def _questions(tables: Path, split: str) -> tuple[pl.DataFrame, list[str]]:
    """Return the questions to answer, and the rows that the verified evaluation leaves out."""
    frame = pl.read_parquet(tables / "questions" / f"{split}.parquet")
    if not split.startswith(VERIFIED):
        return frame.select("row_id", "question"), []
    kept = pl.col("verified").fill_null(value=False)
    return frame.filter(kept).select("row_id", "question"), frame.filter(~kept)["row_id"].to_list()


def _numbered(frame: pl.DataFrame, questions: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of questions that are asked, with the place of the question in place of its id."""
    numbers = questions.select("row_id", question=pl.int_range(pl.len(), dtype=pl.Int64))
    return frame.join(numbers, on="row_id", maintain_order="left").drop("row_id")


def _phrases(questions: pl.DataFrame, answers: pl.DataFrame, first: int) -> list[Phrases]:
    # The normalised aliases are there too, and most say the same once more.
    distinct = answers.unique(maintain_order=True)
    asked = term_phrases(questions["question"].to_list())
    told = answer_phrases(distinct["question"].to_numpy(), distinct["alias"])
    return [Phrases(part.question + first, part.head, part.whole, part.length, part.slot) for part in (asked, told)]


def _pages(tables: Path, split: str, questions: pl.DataFrame) -> pl.DataFrame:
    """Return each question's documents once, ranked: entity pages before search results, then by position."""
    pages = pl.read_parquet(tables / "pages" / f"{split}.parquet")
    if split.startswith(f"{VERIFIED}web"):  # the official evaluation looks at single pages of the web only
        pages = pages.filter(pl.col("verified").fill_null(value=False))
    pages = _numbered(pages.filter(pl.col("evidence_id").is_not_null()), questions)
    pages = pages.sort("question", "kind", "position", maintain_order=True).select("question", "evidence_id")
    pages = pages.unique(maintain_order=True)
    rank = pl.int_range(pl.len(), dtype=pl.Int64).over("question")
    return pages.select("evidence_id", "question", rank=rank)
