"""BM25 over the windows of one question at a time, for many questions at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rc_pipeline.passages.matching import Rows
from rc_pipeline.passages.units import Ints

# Lucene's form and constants.
K1, B = 1.2, 0.75

Scores = npt.NDArray[np.float64]


def bm25(rows: Rows) -> Scores:
    """Score each window for its question; a question's windows, over all of its documents, are the collection.

    `rows` are sorted by question. How rare a term is, is thus told among the windows that the question
    has: the name that every document is about says little, what only one window says a lot.
    """
    first, asked = question_runs(rows)
    windows = np.diff(np.append(first, len(rows)))
    words = rows["words"].astype(np.float64)
    mean = np.maximum(np.add.reduceat(words, first) / windows, 1.0) if len(rows) else words
    bend = K1 * (1 - B + B * words / mean[asked])
    scores = np.zeros(len(rows))
    for slot in range(rows["terms"].shape[1]):
        there = rows["terms"][:, slot].astype(np.float64)
        if not there.any():
            continue
        holding = np.add.reduceat((there > 0).astype(np.float64), first)
        rare = np.log1p((windows - holding + 0.5) / (holding + 0.5))
        scores += rare[asked] * there / (there + bend)
    # Processors differ in the last digits of a logarithm, which must not decide an order.
    return np.round(scores, 6)


def question_runs(rows: Rows) -> tuple[Ints, Ints]:
    """Return where the rows of each question begin, and for each row which of these questions it is of."""
    question = rows["question"]
    new = np.ones(len(rows), np.bool_)
    new[1:] = question[1:] != question[:-1]
    return np.flatnonzero(new), np.cumsum(new) - 1
