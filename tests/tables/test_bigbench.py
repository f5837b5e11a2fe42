from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.tables.build import build_tables
from rc_pipeline.tables.quarantine import TablesError

GOOD: dict[str, Any] = {"input": "一加一", "target": ["二", "2"]}
CHOICE: dict[str, Any] = {"input": "Is 2 even?", "target_scores": {"yes": 1, "no": 0}}


def task(*examples: Any, **facts: Any) -> str:
    return json.dumps({"name": "n", "keywords": [], **facts, "examples": examples}, ensure_ascii=False)


def folder_of(path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, encoding="utf-8")
    return path


def build(folder: Path, raw: dict[str, Path], tolerated: float = 0.0) -> Outcome:
    return build_tables(dataset="bench", fmt="bigbench", raw=raw, tolerated=tolerated, out=folder / "out")


@pytest.mark.parametrize(
    ("example", "reason"),
    [
        (GOOD | {"input": " "}, "empty_input"),
        (GOOD | {"target": []}, "empty_answer"),
        (GOOD | {"target": ""}, "empty_answer"),
        (GOOD | {"input": "\x00"}, "control_character"),
        (CHOICE | {"target_scores": {"yes": 0, "no": 0}}, "no_best_option"),
    ],
)
def test_an_example_that_breaks_a_rule_is_quarantined(tmp_path: Path, example: Any, reason: str) -> None:
    raw = {"sums.json": folder_of(tmp_path, {"sums.json": task(GOOD, example, CHOICE)}) / "sums.json"}
    with pytest.raises(TablesError, match="split test: 1 of 3 rows are bad"):
        build(tmp_path, raw)
    outcome = build(tmp_path, raw, 0.4)
    assert outcome.metadata[f"quarantined: {reason}"] == 1
    table = pl.read_parquet(tmp_path / "out" / "test.parquet")
    assert table["row_id"].to_list() == ["bench/test/sums/0", "bench/test/sums/2"]


def test_a_program_is_no_task_and_is_told(tmp_path: Path) -> None:
    files = {"games/task.py": "raise SystemExit", "games/README.md": "", "sums/task.json": task(GOOD)}
    raw = {"all": folder_of(tmp_path / "all", files)}
    with pytest.raises(TablesError, match=r"all/games/task\.py, line 1: the task is 'all/games' \(task_is_a_program\)"):
        build(tmp_path, raw)
    outcome = build(tmp_path, raw, 0.5)
    assert outcome.metadata["quarantined: task_is_a_program"] == 1
    assert outcome.metadata["rows of test"] == 1


def test_a_folder_without_tasks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TablesError, match="dataset bench has no rows"):
        build(tmp_path, {"all": folder_of(tmp_path / "all", {"README.md": "none"})})


@pytest.mark.parametrize("packed", [True, False])
def test_a_tree_of_tasks_becomes_one_test_split(tmp_path: Path, packed: bool) -> None:
    files = {
        "benchmark_tasks/logic/README.md": "about",
        "benchmark_tasks/logic/results/scores.json": "[not even JSON",
        "benchmark_tasks/logic/task.json": json.dumps({"name": "logic"}),
        "benchmark_tasks/logic/three/task.json": task(CHOICE, CHOICE | {"target_scores": {"a": 1, "b": 1, "c": 0}}),
        "benchmark_tasks/sums/task.json": task(GOOD, task_prefix="算一算。"),
    }
    path = folder_of(tmp_path / "all", files)
    if packed:
        path = tmp_path / "all.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            for name, text in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(text.encode())
                tar.addfile(info, io.BytesIO(text.encode()))
    outcome = build(tmp_path, {path.name: path})
    table = pl.read_parquet(tmp_path / "out" / "test.parquet")
    assert table["row_id"].to_list() == [
        "bench/test/all/benchmark_tasks/logic/three/0",
        "bench/test/all/benchmark_tasks/logic/three/1",
        "bench/test/all/benchmark_tasks/sums/0",
    ]
    assert table.select("task", "input", "answer", "gold_answers").rows()[::2] == [
        ("logic/three", "Is 2 even?", "yes", ["yes"]),
        ("sums", "算一算。\n\n一加一", "二", ["二", "2"]),
    ]
    assert table["options"].list.len().to_list() == [2, 3, None]
    assert (outcome.metadata["tasks"], outcome.metadata["rows with options"]) == (2, 2)
    assert outcome.metadata["rows with several best options"] == 1
    assert all(check.passed for check in outcome.checks)
