from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rc_pipeline.scoring.intervals import bootstrap


def test_no_values_have_no_interval() -> None:
    with pytest.raises(ValueError, match="at least one"):
        bootstrap([], seed=0)


def test_one_question_has_an_interval_of_no_width() -> None:
    found = bootstrap([1.0], seed=0)
    assert (found.value, found.low, found.high, found.n) == (1.0, 1.0, 1.0, 1)


def test_the_interval_is_the_one_written_down_here() -> None:
    found = bootstrap([1.0] * 81 + [0.0] * 19, seed=0)
    assert (found.value, found.low, found.high) == (0.81, 0.73, 0.88)


def test_the_bounds_are_near_those_of_the_normal_approximation() -> None:
    n, share = 4_000, 0.8
    found = bootstrap([1.0] * int(n * share) + [0.0] * int(n * (1 - share)), seed=1)
    half = 1.96 * (share * (1 - share) / n) ** 0.5
    assert found.low == pytest.approx(share - half, abs=0.001)
    assert found.high == pytest.approx(share + half, abs=0.001)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(0, 2**32), st.integers(1, 500))
def test_neither_repetition_nor_chunk_size_changes_a_bit(values: list[float], seed: int, at_once: int) -> None:
    whole = bootstrap(values, seed=seed)
    assert bootstrap(values, seed=seed, at_once=at_once) == whole
    assert whole.low <= whole.high
    assert min(values) - 1e-9 <= whole.low
    assert whole.high <= max(values) + 1e-9
