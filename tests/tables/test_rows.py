from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from rc_pipeline.tables.build import build_tables
from rc_pipeline.tables.rows import BATCH_CHARACTERS, BATCH_ROWS


def test_a_row_group_holds_no_more_text_than_fits_into_memory(tmp_path: Path) -> None:
    turns = [{"from": side, "value": "很长" * 500} for _ in range(100) for side in ("human", "gpt")]
    raw = tmp_path / "train.jsonl"
    raw.write_text(f"{json.dumps({'conversations': turns}, ensure_ascii=False)}\n" * 2, encoding="utf-8")
    build_tables(dataset="chat", fmt="sharegpt", raw={raw.name: raw}, tolerated=0, out=tmp_path / "out")
    with pq.ParquetFile(tmp_path / "out" / "train.parquet") as file:
        groups = [pl.DataFrame(file.read_row_group(group)) for group in range(file.num_row_groups)]
    told = [frame["history"].explode().explode().str.len_chars().sum() for frame in groups]
    assert len(groups) > 1
    assert max(told) < 2 * BATCH_CHARACTERS
    ids = [f"chat/train/{n}.{at}" for n in range(2) for at in range(1, 200, 2)]
    assert pl.concat(groups)["row_id"].to_list() == ids


def test_short_rows_fill_a_row_group(tmp_path: Path) -> None:
    raw = tmp_path / "train.jsonl"
    raw.write_text('{"instruction": "说你好。", "output": "你好。"}\n' * (BATCH_ROWS + 1), encoding="utf-8")
    build_tables(dataset="talk", fmt="alpaca", raw={raw.name: raw}, tolerated=0, out=tmp_path / "out")
    with pq.ParquetFile(tmp_path / "out" / "train.parquet") as file:
        assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [BATCH_ROWS, 1]
