from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.tables.build import build_tables
from rc_pipeline.tables.quarantine import TablesError

GOOD = {"instruction": "Say hi.", "input": "", "output": "Hi."}


def build(folder: Path, tolerated: float = 0.0, **files: str) -> Outcome:
    raw = {}
    for name, text in files.items():
        raw[name] = folder / f"{name}.json"
        raw[name].write_text(text)
    return build_tables(dataset="chat", fmt="alpaca", raw=raw, tolerated=tolerated, out=folder / "out")


@pytest.mark.parametrize("text", ["", "[]", "\n"])
def test_a_dataset_without_rows_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(TablesError, match=r"train\.json: split train of dataset chat has no rows"):
        build(tmp_path, train=text)


def test_rows_without_instruction_or_answer_are_quarantined(tmp_path: Path) -> None:
    rows = [GOOD, GOOD | {"output": ""}, GOOD | {"instruction": " "}, GOOD | {"input": "\0"}, 5]
    with pytest.raises(TablesError, match="4 of 5 rows are bad"):
        build(tmp_path, train=json.dumps(rows))
    build(tmp_path, 0.8, train=json.dumps(rows))
    quarantine = pl.read_parquet(tmp_path / "out" / "quarantine" / "chat.parquet")
    assert sorted(quarantine["reason"]) == [
        "control_character",
        "empty_instruction",
        "empty_output",
        "not_an_object",
    ]


def test_files_follow_one_another_in_the_order_of_their_names(tmp_path: Path) -> None:
    full = GOOD | {"system": "Be kind.", "history": [["q", "a"], ["r", "b"]]}
    outcome = build(tmp_path, train_b=json.dumps([GOOD]), train_a=json.dumps(full) + "\n" + json.dumps(GOOD))
    table = pl.read_parquet(tmp_path / "out" / "train.parquet")
    assert table.select("row_id", "source_file", "source_line", "system", "history").rows() == [
        ("chat/train/a/0", "train_a", 1, "Be kind.", [["q", "a"], ["r", "b"]]),
        ("chat/train/a/1", "train_a", 2, None, []),
        ("chat/train/b/0", "train_b", 1, None, []),
    ]
    assert outcome.tables["chat"] == ["train.parquet"]
    assert outcome.metadata["fully duplicated rows"] == 1
    assert all(check.passed for check in outcome.checks)
