from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from rc_pipeline.tables.build import build_tables


def test_conversations_of_several_splits_become_one_table(tmp_path: Path) -> None:
    raw = {}
    for split, asked in (("train", "一加一？"), ("valid", "二加二？")):
        turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": [{"type": "text", "text": "嗯"}]}]
        raw[f"{split}.jsonl"] = tmp_path / f"{split}.jsonl"
        raw[f"{split}.jsonl"].write_text(json.dumps({"messages": turns}))
    outcome = build_tables(dataset="chat", fmt="openai", raw=raw, tolerated=0.0, out=tmp_path / "out")
    assert outcome.tables["chat"] == ["train.parquet", "valid.parquet"]
    rows = pl.concat(pl.read_parquet(tmp_path / "out" / name) for name in outcome.tables["chat"])
    assert rows.select("row_id", "instruction", "output").rows() == [
        ("chat/train/0.1", "一加一？", "嗯"),
        ("chat/valid/0.1", "二加二？", "嗯"),
    ]
