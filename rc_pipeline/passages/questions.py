"""The questions of all splits, numbered, with what is looked for and the documents to look in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from rc_pipeline.passages.errors import PassagesError
from rc_pipeline.passages.phrases import Phrases, answer_phrases, by_question, joined, term_phrases
from rc_pipeline.passages.units import Flags, Ints

# Questions are worked on in blocks of this many; a block never holds questions of two splits.
BLOCK = 512
# Answers and pages are millions; so many rows are read at a time.
ROWS_AT_ONCE = 50_000
NO_EVIDENCE = "no_evidence"
NO_ALIAS = "no_alias_in_evidence"
NOT_VERIFIED = "not_verified"
VERIFIED = "verified-"
# The official evaluation looks at single pages of the web only.
_VERIFIED_PAGES = {f"{VERIFIED}web-dev": ("verified",)}
PAGE = {"question": pl.Int32, "kind": pl.String, "position": pl.Int32, "evidence_id": pl.String}


@dataclass(frozen=True)
class Split:
    """One split; its questions have the numbers from `first` on.

    Document by document, each pair of a question and one of its documents is a question here, and `documents`
    names them; it is null for a question that has none.
    """

    name: str
    training: bool
    first: int
    row_ids: pl.Series
    documents: pl.Series | None
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


def read_questions(
    tables: Path, splits: Sequence[str], train_splits: Sequence[str], *, by_document: bool = False
) -> Questions:
    """Read the splits that the tables hold."""
    found: list[Split] = []
    phrases: list[Phrases] = []
    pages = [pl.DataFrame(schema=PAGE)]
    first = 0
    for name in splits:
        if not (tables / "questions" / f"{name}.parquet").is_file():
            continue
        asked, not_verified = _questions(tables, name)
        cited = tables / "pages" / f"{name}.parquet"
        if by_document:
            asked = asked.join(_each_document(cited, name), on="row_id", how="left", maintain_order="left_right")
        numbers = asked.drop("question").with_columns(question=pl.int_range(first, first + pl.len(), dtype=pl.Int32))
        answered = np.zeros(asked.height, np.bool_)
        phrases.append(term_phrases(numbers["question"].to_numpy(), asked["question"]))
        for answers in _numbered(tables / "answers" / f"{name}.parquet", ["alias"], numbers):
            answered[answers["question"].to_numpy() - first] = True
            phrases.append(answer_phrases(answers["question"].to_numpy(), answers["alias"]))
        pages += _pages(cited, name, numbers)
        documents = asked["evidence_id"] if by_document else None
        found.append(Split(name, name in train_splits, first, asked["row_id"], documents, answered, not_verified))
        first = BLOCK * found[-1].blocks.stop
    if not found:
        raise PassagesError(f"{tables / 'questions'}: none of {', '.join(splits)}; build the tables again")
    return Questions(found, by_question(joined(phrases)), *_cited(pl.concat(pages, how="vertical_relaxed")))


def _questions(tables: Path, split: str) -> tuple[pl.DataFrame, list[str]]:
    """Return the questions to answer, and the rows that the verified evaluation leaves out."""
    path = tables / "questions" / f"{split}.parquet"
    if not split.startswith(VERIFIED):
        return pl.read_parquet(path, columns=["row_id", "question"]), []
    frame = pl.read_parquet(path, columns=["row_id", "question", "verified"])
    kept = pl.col("verified").fill_null(value=False)
    return frame.filter(kept).drop("verified"), frame.filter(~kept)["row_id"].to_list()


def _each_document(path: Path, split: str) -> pl.DataFrame:
    """Return (row_id, evidence_id) of each document of each question, in the order of its pages."""
    pages = pl.scan_parquet(path).filter(_counts(split)).sort("kind", "position", "evidence_id")
    return pages.select("row_id", "evidence_id").unique(maintain_order=True).collect()


def _numbered(path: Path, columns: Sequence[str], numbers: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield rows of the questions that are asked, some at a time, with the question's number in place of its id."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=["row_id", *columns]):
            rows = cast("pl.DataFrame", pl.from_arrow(batch))
            shared = [name for name in rows.columns if name in numbers.columns]
            yield rows.join(numbers, on=shared, maintain_order="left").drop("row_id")


def _pages(path: Path, split: str, numbers: pl.DataFrame) -> Iterator[pl.DataFrame]:
    for pages in _numbered(path, ["kind", "position", "evidence_id", *_VERIFIED_PAGES.get(split, ())], numbers):
        yield pages.filter(_counts(split)).select(*PAGE)


def _counts(split: str) -> pl.Expr:
    """Tell of a page whether its document is one of its question's."""
    return pl.all_horizontal(pl.col("evidence_id").is_not_null(), *map(pl.col, _VERIFIED_PAGES.get(split, ())))


def _cited(pages: pl.DataFrame) -> tuple[pl.Series, Ints, Ints, Ints]:
    """Return the documents, and the pairs: document, question, and the document's rank for it.

    A question's entity pages come before search results, then by position; each document counts once.
    """
    documents = pages["evidence_id"].unique().sort()
    numbers = pl.DataFrame({"evidence_id": documents, "document": np.arange(len(documents), dtype=np.int32)})
    pairs = pages.join(numbers, on="evidence_id").drop("evidence_id").sort("question", "kind", "position", "document")
    pairs = pairs.select("question", "document").unique(maintain_order=True)
    rank = pl.int_range(pl.len(), dtype=pl.Int32).over("question")
    pairs = pairs.with_columns(rank=rank).sort("document", "question")
    document, question, rank_of = (pairs[name].to_numpy() for name in ("document", "question", "rank"))
    return documents, document, question, rank_of
