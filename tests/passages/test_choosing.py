from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_pipeline.passages.choosing import choose, first_words_hold_answer, holds_answer
from rc_pipeline.passages.matching import NONE, ROW, Rows
from rc_pipeline.passages.ranking import K1, B, bm25

WINDOW = st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(1, 30))


def rows(*windows: tuple[int, int, int], **columns: list[int]) -> Rows:
    """Return windows of (question, rank, tokens), in order."""
    found = np.zeros(len(windows), ROW)
    for name, values in zip(("question", "rank", "tokens"), zip(*windows, strict=True), strict=False):
        found[name] = values
    found["answer"] = found["across"] = NONE
    for name, values in columns.items():
        found[name] = values
    return found


def chosen(windows: Rows, scores: list[float], budget: int) -> list[bool]:
    return choose(windows, np.array(scores), np.array([budget]), 8)[:, 0].tolist()


def test_nothing_is_chosen_of_nothing() -> None:
    assert choose(rows(), np.zeros(0), np.array([64]), 8).shape == (0, 1)
    assert holds_answer(rows(), np.zeros((0, 1), np.bool_), np.array([64])).shape == (0, 1)


def test_the_best_windows_that_fit_are_chosen_and_the_best_of_all_always() -> None:
    windows = rows((0, 0, 10), (0, 0, 8), (0, 1, 4), (1, 0, 50), (1, 0, 3))
    assert chosen(windows, [1, 3, 2, 2, 1], 13) == [False, True, True, True, False]
    assert chosen(windows, [1, 3, 2, 2, 1], 24) == [True, True, True, True, False]


def test_a_smaller_window_takes_the_room_that_a_larger_one_left() -> None:
    assert chosen(rows((0, 0, 10), (0, 0, 9), (0, 0, 3)), [3, 2, 1], 14) == [True, False, True]


def test_of_equal_windows_the_earlier_is_chosen() -> None:
    assert chosen(rows(*[(0, 0, 5)] * 3), [0, 0, 0], 6) == [True, False, False]


def test_documents_that_fit_whole_are_taken_whole() -> None:
    windows = rows((0, 0, 10), (0, 0, 10), (0, 1, 5))
    assert chosen(windows, [1, 2, 3], 26) == [True, True, True]
    assert chosen(windows, [1, 2, 3], 25) == [False, True, True]


def test_windows_that_are_no_neighbours_need_room_for_what_stands_between_them() -> None:
    windows = rows((0, 0, 10), (0, 0, 10), start=[0, 50], end=[40, 90])
    assert chosen(windows, [1, 2], 21) == [True, True]
    assert chosen(windows, [1, 2], 20) == [False, True]


@given(st.lists(WINDOW, max_size=30), st.integers(1, 80))
def test_no_choice_exceeds_its_budget_but_by_a_single_window(windows: list[tuple[int, int, int]], budget: int) -> None:
    found = rows(*sorted(windows, key=lambda window: window[:2]))
    kept = np.array(chosen(found, list(np.arange(len(found)) % 7), budget), dtype=bool)
    for question in set(found["question"].tolist()):
        tokens = found["tokens"][kept & (found["question"] == question)]
        assert len(tokens) == 1 or (len(tokens) and tokens.sum() <= budget)


def test_an_answer_counts_where_the_window_is_cut_and_across_two_neighbours() -> None:
    budgets = np.array([4, 8, 100])
    windows = rows((0, 0, 10), (0, 0, 10), answer=[6, NONE])
    assert holds_answer(windows, np.array([[1, 1, 1], [0, 0, 0]], bool), budgets).tolist() == [[False, True, True]]
    windows["answer"], windows["across"] = NONE, [NONE, 2]
    assert holds_answer(windows, np.array([[1, 0, 1], [0, 1, 1]], bool), budgets).tolist() == [[False, False, True]]
    windows["rank"] = [0, 1]
    assert holds_answer(windows, np.ones((2, 3), bool), budgets).tolist() == [[False, False, False]]


def test_first_words_hold_an_answer_that_ends_within_them() -> None:
    windows = rows((0, 0, 10), (0, 1, 10), (1, 0, 5), answer=[NONE, 4, NONE])
    assert first_words_hold_answer(windows, np.array([14, 15])).tolist() == [[False, True], [False, False]]


def test_scores_are_those_of_a_library_for_the_same_words() -> None:
    bm25s = pytest.importorskip("bm25s")
    random = np.random.default_rng(3)
    texts = [random.choice(list("abcdefgh"), size=random.integers(3, 30)).tolist() for _ in range(25)]
    found = rows(*[(4, 0, len(text)) for text in texts], words=[len(text) for text in texts])
    for slot, term in enumerate("abx"):
        found["terms"][:, slot] = [text.count(term) for text in texts]
    other = rows((5, 0, 3), words=[3])
    index = bm25s.BM25(method="lucene", k1=K1, b=B)
    index.index(texts, show_progress=False)
    scores = bm25(np.concatenate([found, other]))
    assert np.allclose(scores[:-1], index.get_scores(["a", "b"]), atol=2e-6)
    assert scores[-1] == 0
