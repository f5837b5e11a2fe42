from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rc_pipeline.corpora.inventory import opened
from rc_pipeline.corpora.openai import read_rows
from rc_pipeline.corpora.readers import REMEDIES, BadRow, Row

ASKED, SAID = {"role": "user", "content": "为什么？"}, {"role": "assistant", "content": "因为下雨。"}


def read_file(path: Path) -> list[Row | BadRow]:
    with opened(path.name, path) as file:
        return list(read_rows(file))


def read(folder: Path, *turns: Any) -> list[Row | BadRow]:
    path = folder / "raw.jsonl"
    path.write_text(json.dumps({"messages": turns}) + "\n")
    return read_file(path)


@pytest.mark.parametrize(
    ("turns", "reason", "field"),
    [
        ([{"role": "human", "content": "x"}, SAID], "unknown_role", "messages[0].role"),
        ([ASKED, {"role": "assistant", "content": None}], "missing_field", "messages[1].content"),
        ([ASKED, SAID | {"content": None, "tool_calls": [{"id": "1"}]}], "tool_turn", "messages[1].tool_calls"),
        ([ASKED, SAID | {"function_call": {"name": "f"}}], "tool_turn", "messages[1].function_call"),
        ([ASKED, {"role": "tool", "content": "3"}, SAID], "tool_turn", "messages[1].role"),
        ([ASKED | {"content": [{"type": "image_url", "image_url": {}}]}, SAID], "not_text", "messages[0].content"),
        ([ASKED | {"content": [{"type": "text", "text": 3}]}, SAID], "not_text", "messages[0].content"),
        ([ASKED | {"content": []}, SAID], "empty_turn", "messages[0].content"),
        ([ASKED, SAID | {"weight": 0}], "weight_is_0", "messages[1]"),
    ],
)
def test_what_is_no_question_and_answer_in_words_is_set_aside(
    tmp_path: Path, turns: list[Any], reason: str, field: str
) -> None:
    (bad,) = read(tmp_path, *turns)
    assert isinstance(bad, BadRow)
    assert (bad.reason, bad.field) == (reason, field)
    assert reason in REMEDIES


def test_an_answer_of_weight_0_is_read_and_not_learnt(tmp_path: Path) -> None:
    _, row = read(tmp_path, ASKED, SAID | {"weight": 0}, ASKED, SAID | {"weight": 1})
    assert isinstance(row, Row)
    assert row.fields["history"] == [["为什么？", "因为下雨。"]]


def test_content_may_be_text_or_a_list_of_texts(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "先读，"}, {"type": "text", "text": "再答。"}]
    (row,) = read(tmp_path, {"role": "developer", "content": parts}, ASKED | {"content": parts}, SAID)
    assert isinstance(row, Row)
    assert (row.fields["system"], row.fields["instruction"]) == ("先读，再答。", "先读，再答。")


def test_parquet_gives_the_rows_that_json_gives(tmp_path: Path) -> None:
    turns = [ASKED, SAID, ASKED, SAID]
    pq.write_table(pa.table({"messages": [turns, turns[:2]]}), tmp_path / "raw.parquet")
    found = read_file(tmp_path / "raw.parquet")
    assert [row.key for row in found if isinstance(row, Row)] == ["0.1", "0.3", "1.1"]
