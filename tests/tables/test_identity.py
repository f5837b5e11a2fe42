from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.corpora.identity import write_identity
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.tables.build import build_tables
from rc_pipeline.tables.quarantine import TablesError

LUMEN: dict[str, Any] = {"name": "Lumen", "developers": "the Reading Lab", "abilities": ["read", "translate"]}
LAMP: dict[str, Any] = {"name": "小明灯", "developers": "阅读实验室", "abilities": ["阅读", "翻译"]}


def build(folder: Path, out: str = "out", **languages: dict[str, Any]) -> Outcome:
    path = write_identity({"identity": languages}, folder / "files")
    return build_tables(dataset="self", fmt="identity", raw={path.name: path}, tolerated=0.0, out=folder / out)


def test_a_control_character_in_a_name_is_an_error_that_names_the_text(tmp_path: Path) -> None:
    with pytest.raises(TablesError, match=r"identity\.json, line 1: (question|answer) is .*control_character"):
        build(tmp_path, en=LUMEN | {"name": "Lu\0men"})


def test_facts_in_two_languages_become_one_table_that_is_the_same_each_time(tmp_path: Path) -> None:
    outcome = build(tmp_path, en=LUMEN, zh=LAMP)
    assert outcome.tables["self"] == ["train.parquet"]
    assert all(check.passed for check in outcome.checks)
    table = pl.read_parquet(tmp_path / "out" / "train.parquet")
    assert table.columns == [
        "row_id", "split", "question", "answer", "topic", "language", "group", "gold_answers", "source_file",
        "source_line",
    ]  # fmt: skip
    counts = dict(table.group_by("language").len().iter_rows())
    assert {key: value for key, value in outcome.metadata.items() if key.startswith("questions in")} == {
        f"questions in {code}": f"{rows} in 15 topics" for code, rows in counts.items()
    }
    assert table.filter(question="你叫什么名字？")["topic"].to_list() == ["name"]
    build(tmp_path, "again", zh=LAMP, en=LUMEN)
    assert table.equals(pl.read_parquet(tmp_path / "again" / "train.parquet"))


def test_one_language_alone_is_enough_and_its_rows_keep_their_ids(tmp_path: Path) -> None:
    build(tmp_path, en=LUMEN, zh=LAMP)
    build(tmp_path, "zh", zh=LAMP)
    both, zh = (pl.read_parquet(tmp_path / folder / "train.parquet") for folder in ("out", "zh"))
    assert zh.equals(both.filter(language="zh"))
