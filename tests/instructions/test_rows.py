from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from rc_pipeline.instructions import rows as module
from rc_pipeline.instructions.rows import left_out, row_batches, split_is_present


def test_rows_come_in_batches_with_the_columns_asked_for(cosmos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_ROWS", 25)
    batches = list(row_batches(cosmos, None, "train", ["question", "label"]))
    assert [batch.height for batch in batches] == [25, 25, 10]
    assert batches[0].columns == ["row_id", "group", "question", "label", "gold_answers"]
    assert left_out(None, "train") == []


def test_a_batch_holds_no_more_than_the_row_group_of_a_table(cosmos: Path, tmp_path: Path) -> None:
    pl.read_parquet(cosmos / "train.parquet").write_parquet(tmp_path / "train.parquet", row_group_size=40)
    assert [batch.height for batch in row_batches(tmp_path, None, "train", ["question"])] == [40, 20]


def test_questions_keep_their_order_and_those_without_a_passage_are_left_out(trivia: tuple[Path, Path]) -> None:
    tables, passages = trivia
    columns = ["question", "passage", "answer", "aliases"]
    (batch,) = row_batches(tables, passages, "wikipedia-dev", columns)
    assert batch["row_id"].to_list() == [f"trivia/wikipedia-dev/q{n}" for n in range(3)]
    assert batch["aliases"].to_list()[0] == ["Lisbon", "Lisboa"]
    assert batch["gold_answers"].to_list()[0] == ["lisbon", "lisboa", "Olisipo"]
    assert left_out(passages, "wikipedia-dev") == [("trivia/wikipedia-dev/q3", "no_evidence")]
    (unknown,) = row_batches(tables, passages, "wikipedia-test", columns)
    assert unknown["aliases"].to_list() == unknown["gold_answers"].to_list() == [[]] * 3
    assert [split_is_present(tables, passages, split) for split in ("wikipedia-dev", "web-dev")] == [True, False]
