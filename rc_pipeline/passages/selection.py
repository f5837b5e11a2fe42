"""From the rows of all windows to those that make the passages, one block of questions after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rc_pipeline.lake.canonical import stable_hash
from rc_pipeline.passages.choosing import choose
from rc_pipeline.passages.matching import NONE, Rows
from rc_pipeline.passages.questions import NO_ALIAS, NO_EVIDENCE, NOT_VERIFIED, Questions, Split
from rc_pipeline.passages.ranking import Scores, bm25, question_runs
from rc_pipeline.passages.recall import Recall
from rc_pipeline.passages.spill import RowSpill
from rc_pipeline.passages.units import Flags, Ints

PICK = np.dtype([("question", "<i8"), ("rank", "<i8"), ("start", "<i8"), ("end", "<i8"), ("score", "<f4")])
SAMPLED_A_SPLIT = 16
Picks = npt.NDArray[np.void]
# Row, document where each is read alone, and reason.
Dropped = tuple[str, str | None, str]


@dataclass(frozen=True)
class Chosen:
    """The windows of one split's passages, what is known of its questions, and the rows left out."""

    picks: Picks
    groups: dict[int, str]
    holds_answer: dict[int, bool | None]
    dropped: list[Dropped]


class Library:
    """Which document has which rank for a question; `ids` names the documents."""

    def __init__(self, questions: Questions) -> None:
        order = np.lexsort((questions.rank, questions.question))
        self._documents = questions.document[order]
        last = max(split.first + len(split.row_ids) for split in questions.splits)
        self._first = np.searchsorted(questions.question[order], np.arange(last + 1))
        self.ids = questions.documents

    def documents(self, question: Ints, rank: Ints) -> Ints:
        """Return the numbers of documents."""
        found: Ints = self._documents[self._first[question] + rank]
        return found

    def group(self, question: int, ranks: Ints) -> str:
        """Return the identity of a set of documents, the same wherever the same documents are read."""
        numbers = self.documents(np.full(len(ranks), question), ranks)
        return f"{stable_hash(0, *self.ids.gather(numbers)):016x}"


class Selector:
    """Chooses windows at one budget, and counts what other budgets would have held."""

    def __init__(self, library: Library, budgets: Ints, tokens: int, window_tokens: int) -> None:
        self._library, self._budgets, self._window_tokens = library, budgets, window_tokens
        self._in_use = int(np.searchsorted(budgets, tokens))

    def split(self, split: Split, spill: RowSpill, recall: Recall) -> Chosen:
        """Choose the windows of every question of a split."""
        picks: list[Picks] = []
        groups: dict[int, str] = {}
        holds: dict[int, bool | None] = {}
        with_evidence: set[int] = set()
        for block in split.blocks:
            rows = spill.take(block)
            scores = bm25(rows)
            chosen = choose(rows, scores, self._budgets, self._window_tokens)
            found = recall.add(rows, chosen)[:, self._in_use]
            with_evidence.update(rows["question"][question_runs(rows)[0]].tolist())
            if split.training:
                rows, scores, found = _holding(rows, scores)
                kept = choose(rows, scores, self._budgets[[self._in_use]], self._window_tokens)[:, 0]
            else:
                kept = chosen[:, self._in_use]
            picks.append(_picks(rows[kept], scores[kept]))
            for question, ranks, holding in _by_question(rows, found):
                groups[question] = self._library.group(question, ranks)
                holds[question] = holding if split.answered[question - split.first] else None
        dropped = _dropped(split, groups, with_evidence)
        return Chosen(np.concatenate([np.zeros(0, PICK), *picks]), groups, holds, dropped)


def sample(chosen: Sequence[Chosen]) -> Ints:
    """Return a few questions of each split, drawn from those that have passages."""
    generator = np.random.default_rng(0)
    asked = [np.unique(one.picks["question"]) for one in chosen]
    return np.concatenate([generator.permutation(numbers)[:SAMPLED_A_SPLIT] for numbers in asked])


def _holding(rows: Rows, scores: Scores) -> tuple[Rows, Scores, Flags]:
    """Return the windows that hold an answer; each of their questions then has it in its passage."""
    kept = rows["answer"] != NONE
    return rows[kept], scores[kept], np.ones(len(question_runs(rows[kept])[0]), np.bool_)


def _picks(rows: Rows, scores: Scores) -> Picks:
    picks = np.zeros(len(rows), PICK)
    for name in ("question", "rank", "start", "end"):
        picks[name] = rows[name]
    picks["score"] = scores
    return picks


def _by_question(rows: Rows, found: Flags) -> Iterator[tuple[int, Ints, bool]]:
    first, _ = question_runs(rows)
    parts = np.split(rows["rank"], first[1:]) if len(rows) else []
    for question, ranks, holding in zip(rows["question"][first].tolist(), parts, found.tolist(), strict=True):
        yield question, np.unique(ranks).astype(np.int64), holding


def _dropped(split: Split, kept: dict[int, str], with_evidence: set[int]) -> list[Dropped]:
    documents = [None] * len(split.row_ids) if split.documents is None else split.documents
    without = [
        (row_id, document, NO_ALIAS if number in with_evidence else NO_EVIDENCE)
        for number, (row_id, document) in enumerate(zip(split.row_ids, documents, strict=True), start=split.first)
        if number not in kept
    ]
    return [*without, *((row_id, None, NOT_VERIFIED) for row_id in split.not_verified)]
