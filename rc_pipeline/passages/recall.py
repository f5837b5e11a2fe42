"""How many questions still have an answer in their passage: the ceiling of what any reader can score.

Windows are ranked without a look at the answers, for training splits too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from rc_pipeline.lake.frames import markdown_table
from rc_pipeline.passages.choosing import first_words_hold_answer, holds_answer
from rc_pipeline.passages.matching import NONE, Rows
from rc_pipeline.passages.ranking import question_runs
from rc_pipeline.passages.units import Flags, Ints

BUDGETS = (64, 128, 256, 512, 1024, 2048, 4096)
BM25, FIRST_WORDS, WHOLE = "bm25", "first_words", "whole_documents"
SCHEMA: dict[str, Any] = {
    "dataset": pl.String,
    "split": pl.String,
    "method": pl.String,
    "budget_tokens": pl.Int64,
    "questions": pl.Int64,
    "in_documents": pl.Int64,
    "in_passage": pl.Int64,
    "recall": pl.Float64,
}


class Recall:
    """Counts the questions of one split, block by block."""

    def __init__(self, dataset: str, split: str, budgets: Ints, questions: int) -> None:
        self._dataset, self._split, self._budgets, self._questions = dataset, split, budgets, questions
        self._whole = 0
        self._counts = {method: np.zeros(len(budgets), np.int64) for method in (BM25, FIRST_WORDS)}

    def add(self, rows: Rows, chosen: Flags) -> Flags:
        """Count a block's questions; return whether the answer is in the passage, by question and budget."""
        found = holds_answer(rows, chosen, self._budgets)
        self._counts[BM25] += found.sum(axis=0)
        self._counts[FIRST_WORDS] += first_words_hold_answer(rows, self._budgets).sum(axis=0)
        there = (rows["answer"] != NONE) | (rows["across"] != NONE)
        self._whole += int(np.logical_or.reduceat(there, question_runs(rows)[0]).sum()) if len(rows) else 0
        return found

    def frame(self) -> pl.DataFrame:
        """Return a row for each method and budget; a split without known answers has none."""
        told = [
            (method, int(budget), int(count))
            for method, counts in self._counts.items()
            for budget, count in zip(self._budgets, counts, strict=True)
        ]
        rows = [
            (self._dataset, self._split, method, budget, self._questions, self._whole, count, count / self._questions)
            for method, budget, count in [*told, (WHOLE, None, self._whole)]
            if self._questions
        ]
        return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def recall_table(recall: pl.DataFrame) -> str:
    """Return the recall of every split as a Markdown table, a column for each budget."""
    budgets = recall["budget_tokens"].drop_nulls().unique().sort().to_list()
    rows: list[list[object]] = []
    for (split,), found in recall.group_by("split", maintain_order=True):
        shares = {(row["method"], row["budget_tokens"]): f"{row['recall']:.1%}" for row in found.to_dicts()}
        for method in (BM25, FIRST_WORDS):
            told = [shares[method, budget] for budget in budgets]
            rows.append([split, method, *told, shares[WHOLE, None], found["questions"][0]])
    return markdown_table(["split", "passage", *map(str, budgets), "whole documents", "questions"], rows)
