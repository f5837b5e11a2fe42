from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.tables.build import build_tables
from rc_pipeline.tables.quarantine import TablesError
from tests.corpora.raw_archives import write_tar_gz
from tests.corpora.raw_zips import write_zip


def talk(*values: str, first: str = "human") -> dict[str, Any]:
    roles = ["human", "gpt"] if first == "human" else ["gpt", "human"]
    return {"conversations": [{"from": roles[at % 2], "value": value} for at, value in enumerate(values)]}


def build(folder: Path, tolerated: float, raw: dict[str, Path]) -> Outcome:
    return build_tables(dataset="chat", fmt="sharegpt", raw=raw, tolerated=tolerated, out=folder / "out")


def written(folder: Path, *conversations: Any, name: str = "train.json") -> dict[str, Path]:
    (folder / name).write_text(json.dumps(conversations, ensure_ascii=False))
    return {name: folder / name}


def test_too_many_lost_answers_are_an_error_that_shows_them(tmp_path: Path) -> None:
    raw = written(tmp_path, talk("问", "答", "问", "", "问", "答"), talk("问", "答"))
    with pytest.raises(TablesError) as raised:
        build(tmp_path, 0.49, raw)
    said = str(raised.value)
    assert "2 of 4 rows are bad" in said
    assert "train.json, line 1: conversations[3].value is '' (empty_turn). Fill in the text" in said


def test_a_message_shows_chinese_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(TablesError, match=r"conversations\[0\]\.from is '用户' \(unknown_role\)\. Name the sides"):
        build(tmp_path, 0.0, written(tmp_path, {"conversations": [{"from": "用户", "value": "问"}]}))


def test_a_control_character_costs_its_row_and_those_that_repeat_it(tmp_path: Path) -> None:
    raw = written(tmp_path, talk("a", "b", "c\x1b", "d", "e", "f"), talk("a", "b"))
    build(tmp_path, 0.5, raw)
    assert pl.read_parquet(tmp_path / "out" / "train.parquet")["row_id"].to_list() == [
        "chat/train/0.1",
        "chat/train/1.1",
    ]
    quarantine = pl.read_parquet(tmp_path / "out" / "quarantine" / "chat.parquet")
    assert quarantine["reason"].to_list() == ["control_character"] * 2


def test_rows_of_a_conversation_share_a_group_and_notes_count_them(tmp_path: Path) -> None:
    more = talk("续", "一")
    more["conversations"].insert(1, {"from": "human", "value": "问"})
    outcome = build(tmp_path, 0.0, written(tmp_path, talk("你好", "好", "谢谢", "不客气"), more))
    table = pl.read_parquet(tmp_path / "out" / "train.parquet")
    assert table.columns == [
        "row_id", "split", "instruction", "input", "output", "system", "history", "joined_turns", "group",
        "gold_answers", "source_file", "source_line",
    ]  # fmt: skip
    assert table["group"].n_unique() == 2
    assert table["group"][0] == table["group"][1]
    assert table["history"].to_list() == [[], [["你好", "好"]], []]
    assert table["gold_answers"].to_list() == [["好"], ["不客气"], ["一"]]
    assert (outcome.metadata["conversations"], outcome.metadata["turns joined with the one before"]) == (2, 1)
    assert all(check.passed for check in outcome.checks)


@pytest.mark.parametrize("pack", ["file", "gzip", "folder", "tar", "zip"])
def test_the_rows_are_the_same_however_the_file_is_packed(tmp_path: Path, pack: str) -> None:
    text = json.dumps([talk("问", "答", "再问", "再答")], ensure_ascii=False).encode()
    path = {"file": "a.json", "gzip": "a.json.gz", "folder": "a", "tar": "a.tar.gz", "zip": "a.zip"}[pack]
    if pack == "folder":
        (tmp_path / path).mkdir()
        (tmp_path / path / "a.json").write_bytes(text)
    elif pack == "tar":
        write_tar_gz(tmp_path / path, [("a.json", text)])
    elif pack == "zip":
        write_zip(tmp_path / path, [("a.json", text)])
    else:
        (tmp_path / path).write_bytes(gzip.compress(text) if pack == "gzip" else text)
    build(tmp_path, 0.0, {"train": tmp_path / path})
    table = pl.read_parquet(tmp_path / "out" / "train.parquet")
    assert table["output"].to_list() == ["答", "再答"]
    assert [row_id.rpartition("/")[2] for row_id in table["row_id"]] == ["0.1", "0.3"]
