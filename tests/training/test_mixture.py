from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_pipeline.training.mixture import Asked, mixture

SIZES = {"large": 100_000, "middle": 10_000, "small": 100}


def taken(asked: dict[str, Asked], rows: int | None = None, temperature: float = 1.0) -> dict[str, int]:
    return mixture(SIZES, asked, rows=rows, temperature=temperature)


@pytest.mark.parametrize(
    ("asked", "rows", "temperature", "expected"),
    [
        ({"large": None, "small": None}, None, 1.0, {"large": 100_000, "small": 100}),
        ({"large": 500, "small": 500}, None, 1.0, {"large": 500, "small": 100}),
        ({"large": "50%", "small": "50%"}, None, 1.0, {"large": 100, "small": 100}),
        ({"large": "75%", "middle": "25%"}, 1000, 1.0, {"large": 750, "middle": 250}),
        ({"middle": None, "large": "20%"}, None, 1.0, {"middle": 10_000, "large": 2500}),
        ({"large": None, "middle": None}, 1100, 1.0, {"large": 1000, "middle": 100}),
        ({"large": None, "middle": None}, 10_000, 2.0, {"large": 7597, "middle": 2403}),
        ({"large": None, "small": None}, None, 1e9, {"large": 100, "small": 100}),
        ({"large": 10_000, "middle": None}, None, 3.0, {"large": 10_000, "middle": 10_000}),
    ],
)
def test_counts_shares_and_temperatures_decide_what_is_taken(
    asked: dict[str, Asked], rows: int | None, temperature: float, expected: dict[str, int]
) -> None:
    assert taken(asked, rows, temperature) == expected


def test_an_empty_dataset_gives_nothing_and_stops_nothing() -> None:
    assert mixture({"a": 0, "b": 5}, {"a": None, "b": None}, rows=None, temperature=1) == {"a": 0, "b": 5}


@given(
    sizes=st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 10**6), min_size=1),
    rows=st.none() | st.integers(1, 10**6),
    temperature=st.sampled_from([0.5, 1.0, 1.5, 2.0, 7.0]),
)
def test_nothing_is_taken_that_is_not_there_and_the_total_is_kept(
    sizes: dict[str, int], rows: int | None, temperature: float
) -> None:
    found = mixture(sizes, dict.fromkeys(sizes), rows=rows, temperature=temperature)
    assert all(0 <= found[name] <= sizes[name] for name in sizes)
    if rows is not None:
        assert sum(found.values()) <= rows
    if temperature == 1 and rows is None:
        assert found == sizes


@given(rows=st.integers(1, 5000))
def test_a_larger_mixture_holds_the_smaller_one(rows: int) -> None:
    asked: dict[str, Asked] = {"large": None, "middle": "30%"}
    small, large = taken(asked, rows), taken(asked, rows + 10)
    assert all(small[name] <= large[name] for name in asked)
