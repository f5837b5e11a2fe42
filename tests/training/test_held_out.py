from __future__ import annotations

import polars as pl
import pytest

from rc_pipeline.training.held_out import EVALUATIONS, HeldOut, NothingToHoldOut, hold_out
from tests.training.test_objective import ROWS


def frame(groups: list[str | None], dataset: str = "toy") -> pl.DataFrame:
    return pl.DataFrame(
        {"row_id": [f"{dataset}/train/{i}" for i in range(len(groups))], "group": groups, "dataset": dataset},
        schema_overrides={"group": pl.String},
    )


def test_rows_of_one_group_cannot_be_held_out() -> None:
    with pytest.raises(NothingToHoldOut, match=r"eval_share 0.1: of 3 rows none.*Train on more rows"):
        hold_out(frame(["a", "a", "a"]), 0.1)


def test_no_group_is_on_both_sides_and_each_dataset_gives_its_share() -> None:
    rows = pl.concat([frame([f"g{i // 3}" for i in range(300)]), frame([f"g{i}" for i in range(40)], "other")])

    trained, held = hold_out(rows, 0.1)

    assert trained.height + held.height == rows.height
    assert not set(trained.select("dataset", "group").rows()) & set(held.select("dataset", "group").rows())
    assert dict(held.group_by("dataset").len().rows()) == {"toy": 30, "other": 4}


def test_rows_without_a_group_stand_for_themselves() -> None:
    rows = frame([None] * 20)

    for each in (rows, rows.drop("group"), rows.drop("dataset")):
        trained, held = hold_out(each, 0.25)
        assert (trained.height, held.height) == (15, 5)


def test_the_same_groups_are_held_out_whatever_the_order_of_rows() -> None:
    rows = frame([f"g{i}" for i in range(50)])

    held = {order: set(hold_out(rows.sample(50, shuffle=True, seed=order), 0.2)[1]["group"]) for order in (1, 2)}

    assert held[1] == held[2]


def test_the_loss_is_measured_evenly_and_at_the_end() -> None:
    held_out = HeldOut(ROWS)

    assert [done for done in range(1, 96) if held_out.is_due(done, 95)] == [10, 19, 29, 38, 48, 57, 67, 76, 86, 95]
    assert sum(held_out.is_due(done, 1000) for done in range(1, 1001)) == EVALUATIONS
    assert not HeldOut().is_due(95, 95)


def test_training_stops_when_the_best_is_as_far_back_as_patience_says() -> None:
    falling = [(10, 3.0), (20, 2.0), (30, 2.5), (40, 2.0)]

    assert HeldOut(ROWS, 2).has_waited(falling)
    assert not HeldOut(ROWS, 3).has_waited(falling)
    assert not HeldOut(ROWS, None).has_waited(falling)
    assert HeldOut(ROWS, 2).is_best(falling[:2])
    assert not HeldOut(ROWS, 2).is_best(falling)
