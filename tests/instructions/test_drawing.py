from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_pipeline.instructions.drawing import draw_template, row_order, stable_hash

ROWS = [f"cosmos/train/{n}" for n in range(6000)]


def drawn(weights: dict[str, float], seed: int = 0) -> dict[str, str]:
    return {row: draw_template(row, weights, seed) for row in ROWS}


def test_hashes_are_the_same_for_ever() -> None:
    assert stable_hash(0, "cosmos/train/0") == 3_785_590_337_023_852_342
    assert row_order("cosmos/train/0", 1) == 11_256_862_792_661_259_072


def test_a_new_template_takes_rows_and_moves_none_between_the_others() -> None:
    before = drawn({"a": 1, "b": 2})
    after = drawn({"c": 1, "a": 1, "b": 2})
    assert {row for row in ROWS if before[row] != after[row]} == {row for row in ROWS if after[row] == "c"}


def test_a_removed_template_frees_its_rows_alone() -> None:
    before, after = drawn({"a": 1, "b": 2, "c": 1}), drawn({"a": 1, "b": 2})
    assert {row for row in ROWS if before[row] != after[row]} == {row for row in ROWS if before[row] == "c"}


def test_another_weight_moves_rows_only_to_its_own_template() -> None:
    before, after = drawn({"a": 1, "b": 2, "c": 1}), drawn({"a": 1, "b": 2, "c": 3})
    moved = [row for row in ROWS if before[row] != after[row]]
    assert moved
    assert {after[row] for row in moved} == {"c"}


@pytest.mark.parametrize("weights", [{"a": 1, "b": 1}, {"a": 1, "b": 3}, {"a": 0.2, "b": 0.5, "c": 0.3}])
def test_shares_follow_the_weights(weights: dict[str, float]) -> None:
    counts = Counter(drawn(weights, seed=3).values())
    for name, weight in weights.items():
        share = weight / sum(weights.values())
        assert counts[name] / len(ROWS) == pytest.approx(share, abs=0.02)


def test_the_seed_decides_the_draw_and_the_order() -> None:
    weights = {"a": 1.0, "b": 1.0}
    assert drawn(weights, 1) == drawn(dict(reversed(weights.items())), 1)
    assert drawn(weights, 1) != drawn(weights, 2)
    assert sorted(ROWS, key=lambda row: row_order(row, 1)) != sorted(ROWS, key=lambda row: row_order(row, 2))


@given(st.text(), st.integers(), st.dictionaries(st.text(), st.floats(1e-6, 1e6), min_size=1))
def test_any_row_gets_one_of_the_templates(row_id: str, seed: int, weights: dict[str, float]) -> None:
    assert draw_template(row_id, weights, seed) in weights
    assert 0 <= row_order(row_id, seed) < 2**64
