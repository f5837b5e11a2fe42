"""Which windows a token budget holds, and which questions still have their answer then."""

from __future__ import annotations

import numpy as np

from rc_pipeline.passages.matching import NONE, Rows
from rc_pipeline.passages.ranking import Scores, question_runs
from rc_pipeline.passages.units import Flags, Ints

# A blank line between windows that were no neighbours.
JOINT_TOKENS = 1
# Windows are half as long as they may be or more, so a budget is full long before that many times its share.
TRIED = 4


def choose(rows: Rows, scores: Scores, budgets: Ints, window_tokens: int) -> Flags:
    """Return, for each row and budget, whether the window is in the passage.

    Where all of a question's windows fit, all are. Else the best is, and after it, in order of their
    scores, all that still fit; of equal scores the earlier in the documents goes first.
    """
    first, asked = question_runs(rows)
    count = len(first)
    place = np.arange(len(rows)) - first[asked]
    order = np.lexsort((place, -scores, asked))
    turn = np.empty_like(order)
    turn[order] = np.arange(len(rows)) - first[asked[order]]
    by_turn = np.lexsort((asked, turn))
    turns = np.searchsorted(turn[by_turn], np.arange(1 + int(turn.max(initial=-1)) + 1))

    cost = rows["tokens"].astype(np.int64) + JOINT_TOKENS
    room = np.tile(budgets + JOINT_TOKENS, (count, 1))
    chosen = np.zeros((len(rows), len(budgets)), np.bool_)
    tries = max(256, TRIED * int(budgets.max()) // window_tokens)
    for number in range(min(len(turns) - 1, tries)):
        these = by_turn[turns[number] : turns[number + 1]]
        questions = asked[these]
        fits = cost[these, None] <= room[questions]
        if number == 0:
            fits[:] = True
        chosen[these] = fits
        room[questions] -= cost[these, None] * fits
        if room.max() <= JOINT_TOKENS:
            break
    return chosen | (_together(rows)[:, None] <= budgets)[asked]


def _together(rows: Rows) -> Ints:
    """Return the tokens of all windows of each question; neighbours in a document need no joint."""
    first, _ = question_runs(rows)
    if not len(first):
        return np.zeros(0, np.int64)
    apart = np.ones(len(rows), np.int64)
    apart[1:] = (rows["start"][1:] != rows["end"][:-1]) | (rows["rank"][1:] != rows["rank"][:-1])
    apart[first] = 0
    return np.add.reduceat(rows["tokens"] + JOINT_TOKENS * apart, first)


def holds_answer(rows: Rows, chosen: Flags, budgets: Ints) -> Flags:
    """Return, for each question and budget, whether an answer is in the chosen windows, cut to the budget."""
    first, _ = question_runs(rows)
    if not len(first):
        return np.zeros((0, len(budgets)), np.bool_)
    # A budget smaller than the best window cuts it, and its end may be where the answer is.
    found = chosen & (rows["answer"][:, None] <= np.minimum(budgets, NONE - 1))
    follows = np.zeros(len(rows), np.bool_)
    follows[1:] = (rows["question"][1:] == rows["question"][:-1]) & (rows["rank"][1:] == rows["rank"][:-1])
    both = chosen & follows[:, None] & (rows["across"] != NONE)[:, None]
    both[1:] &= chosen[:-1]
    found |= both
    return np.logical_or.reduceat(found, first, axis=0)


def first_words_hold_answer(rows: Rows, budgets: Ints) -> Flags:
    """Return the same for a passage of the documents' first words, one document after another."""
    first, asked = question_runs(rows)
    if not len(first):
        return np.zeros((0, len(budgets)), np.bool_)
    new = np.zeros(len(rows), np.int64)
    new[1:] = (rows["rank"][1:] != rows["rank"][:-1]) & (asked[1:] == asked[:-1])
    before = np.cumsum(rows["tokens"] + JOINT_TOKENS * new) - rows["tokens"]
    before -= before[first][asked]
    reach = np.minimum(rows["answer"], rows["across"]).astype(np.int64)
    ends = np.where(reach == NONE, np.iinfo(np.int64).max, before + reach)
    return np.minimum.reduceat(ends, first)[:, None] <= budgets
