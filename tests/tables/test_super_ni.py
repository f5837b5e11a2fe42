from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.corpora.readers import CorpusError
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.tables.build import build_tables
from rc_pipeline.tables.quarantine import TablesError


def task(*instances: dict[str, Any]) -> str:
    return json.dumps({"Definition": ["照做。"], "Instances": instances}, ensure_ascii=False)


def instance(number: int, **changes: Any) -> dict[str, Any]:
    return {"id": f"task-{number}", "input": f"问 {number}", "output": [f"答 {number}"]} | changes


def build(folder: Path, raw: dict[str, Path], tolerated: float = 0.0) -> Outcome:
    return build_tables(dataset="ni", fmt="super_ni", raw=raw, tolerated=tolerated, out=folder / "out")


def folder_of(path: Path, **tasks: str) -> Path:
    path.mkdir()
    (path / "README.md").write_text("no task")
    for name, text in tasks.items():
        (path / f"{name}.json").write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": " "}, "empty_id"),
        ({"input": ""}, "empty_input"),
        ({"output": []}, "empty_output"),
        ({"output": ["", " "]}, "empty_output"),
        ({"input": "a\0b"}, "control_character"),
        ({"id": "task-1"}, "duplicate_id"),
    ],
)
def test_an_instance_that_breaks_a_rule_is_quarantined(tmp_path: Path, changes: Any, reason: str) -> None:
    raw = {"train": folder_of(tmp_path / "tasks", task001=task(instance(1), instance(2, **changes), instance(3)))}
    with pytest.raises(TablesError, match="1 of 3 rows are bad"):
        build(tmp_path, raw)
    outcome = build(tmp_path, raw, 0.4)
    assert outcome.metadata[f"quarantined: {reason}"] == 1
    table = pl.read_parquet(tmp_path / "out" / "train.parquet")
    assert table["row_id"].to_list() == ["ni/train/task001/task-1", "ni/train/task001/task-3"]


def test_a_folder_without_tasks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TablesError, match="dataset ni has no rows"):
        build(tmp_path, {"train": folder_of(tmp_path / "tasks")})


def test_a_task_of_no_split_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"'tasks/task001\.json' names no split"):
        build(tmp_path, {"tasks": folder_of(tmp_path / "tasks", task001=task(instance(1)))})


def test_folders_and_archives_of_tasks_become_one_table_a_split(tmp_path: Path) -> None:
    two = task(instance(1, output=["答", "答案"]), instance(2))
    folder = folder_of(tmp_path / "tasks", task001=two)
    (folder / "task002.json.gz").write_bytes(gzip.compress(task(instance(1)).encode()))
    archive = tmp_path / "test.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, text in (("tasks/task003.json", task(instance(9))), ("tasks/README.md", "no task")):
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    outcome = build(tmp_path, {"train": folder, "test.tar.gz": archive})
    train, test = (pl.read_parquet(tmp_path / "out" / f"{split}.parquet") for split in ("train", "test"))
    assert train.select("row_id", "task", "definition", "output", "gold_answers").rows() == [
        ("ni/train/task001/task-1", "task001", "照做。", "答", ["答", "答案"]),
        ("ni/train/task001/task-2", "task001", "照做。", "答 2", ["答 2"]),
        ("ni/train/task002/task-1", "task002", "照做。", "答 1", ["答 1"]),
    ]
    assert test["row_id"].to_list() == ["ni/test/tasks/task003/task-9"]
    assert train["group"][0] == train["group"][2] != train["group"][1]
    assert (outcome.metadata["tasks"], outcome.metadata["rows with several accepted outputs"]) == (3, 1)
    assert all(check.passed for check in outcome.checks)
