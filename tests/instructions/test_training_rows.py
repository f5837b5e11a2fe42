"""Which rows are trained on: what is held out, what repeats another row, and what is shown as a solved example."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from rc_pipeline.instructions.errors import InstructionsError
from rc_pipeline.lake.frames import write_parquet
from tests.instructions.test_build import TEMPLATES, build, read


def test_a_split_that_the_data_has_cannot_be_held_out(cosmos: Path, tmp_path: Path) -> None:
    with pytest.raises(InstructionsError, match=r"holdout\.valid: the data has this split; remove it"):
        build(cosmos, tmp_path / "out", holdout={"valid": 0.1})


def test_a_share_of_the_passages_is_held_out_with_all_of_their_rows(cosmos: Path, tmp_path: Path) -> None:
    (cosmos / "valid.parquet").unlink()
    build(cosmos, tmp_path / "all", splits=["train"])
    outcome = build(cosmos, tmp_path / "out", splits=["train", "valid"], holdout={"valid": 0.3})
    whole, train, valid = (
        read(tmp_path / "all", "train"),
        read(tmp_path / "out", "train"),
        read(tmp_path / "out", "valid"),
    )
    assert sorted([*train["row_id"], *valid["row_id"]]) == sorted(whole["row_id"])
    assert not set(train["group"]) & set(valid["group"])
    assert 0.1 < valid.height / whole.height < 0.5
    assert set(valid["template"]) == {"choose"}
    assert train.equals(whole.join(train.select("row_id"), on="row_id", how="semi", maintain_order="left"))
    assert all(check.passed for check in outcome.checks)


def test_another_share_moves_no_row_that_it_need_not(cosmos: Path, tmp_path: Path) -> None:
    (cosmos / "valid.parquet").unlink()
    (cosmos / "test.parquet").unlink()
    held = {}
    for name, holdout in (("a", {"valid": 0.2}), ("b", {"valid": 0.4}), ("c", {"valid": 0.2, "test": 0.2})):
        build(cosmos, tmp_path / name, splits=["train", "valid", "test"], holdout=holdout)
        held[name] = set(read(tmp_path / name, "valid")["row_id"])
    assert held["a"] < held["b"]
    assert held["c"] == held["a"]


def test_examples_are_the_first_training_rows_by_every_template(cosmos: Path, tmp_path: Path) -> None:
    unseen = {**TEMPLATES["choose"], "use": ["held_out"], "instruction": "Which one?"}
    build(cosmos, tmp_path / "without", TEMPLATES | {"unseen": unseen})
    build(cosmos, tmp_path / "out", TEMPLATES | {"unseen": unseen}, shot_rows=7)
    train = read(tmp_path / "out", "train")
    for template in ("ask", "choose", "unseen"):
        pool = read(tmp_path / "out", f"shots.{template}")
        assert set(pool["template"]) == {template}
        assert list(pool["row_id"]) == list(train.sort("order").head(7)["row_id"])
    assert train.equals(read(tmp_path / "without", "train"))
    assert not list((tmp_path / "without").glob("shots*"))


@pytest.mark.parametrize(("duplicates", "dropped"), [("keep", []), ("drop_exact", ["duplicate"]), ("drop_near", None)])
def test_training_rows_that_repeat_another_are_dropped_by_choice(
    cosmos: Path, tmp_path: Path, duplicates: str, dropped: list[str] | None
) -> None:
    train = pl.read_parquet(cosmos / "train.parquet")
    words = " ".join(f"word{n}" for n in range(80))
    again = train.head(2).with_columns(row_id=pl.lit("cosmos/train/again") + pl.int_range(pl.len()).cast(pl.String))
    near = again.tail(1).with_columns(context=pl.lit(words), row_id=pl.lit("cosmos/train/a"))
    nearly = near.with_columns(context=pl.lit(words + " more"), row_id=pl.lit("cosmos/train/b"))
    write_parquet(pl.concat([train, again.head(1), near, nearly]), cosmos / "train.parquet")
    outcome = build(cosmos, tmp_path / "out", duplicates=duplicates)
    found = pl.read_parquet(tmp_path / "out" / "dropped.parquet")["reason"].sort().to_list()
    assert found == (["duplicate", "near_duplicate"] if dropped is None else dropped)
    assert outcome.metadata["rows: train"] == 63 - len(found)
    assert outcome.metadata["training rows that repeat another: duplicate"] == 1
    assert all(check.passed for check in outcome.checks if check.blocking)
