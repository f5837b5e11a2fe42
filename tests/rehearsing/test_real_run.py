"""The disk that a run will need, before it runs out."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from rc_pipeline.checkup.findings import Finding
from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lineage import load_lineage
from rc_pipeline.rehearsing.real_run import disk

Usage = namedtuple("Usage", "total used free")
MINICPM = {
    "model_type": "minicpm", "hidden_size": 2304, "intermediate_size": 5760, "num_attention_heads": 36,
    "num_hidden_layers": 40, "num_key_value_heads": 36, "vocab_size": 122_753,
}  # fmt: skip


def needed(tmp_path: Path, study: str, free: float, monkeypatch: pytest.MonkeyPatch, model: str) -> Finding:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "config.json").write_text(json.dumps(MINICPM))
    (tmp_path / "lake").mkdir()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1e12, 0, free))
    lineage = load_lineage(PROJECT / "catalog", tmp_path / "lake")
    planner = Lake(tmp_path / "lake", lineage.graph).planner()
    return disk(planner, lineage.study(study), tmp_path / "lake", {model: tmp_path / "real"})


def test_a_disk_that_will_be_full_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The merged model alone has 2.7 billion weights of two bytes.
    found = needed(tmp_path, "bayling_translation", 5e9, monkeypatch, "bayling2_7b")
    assert found.state == "problem"
    assert "rc-pipeline gc" in found.remedy


def test_a_disk_with_room_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = needed(tmp_path, "bayling_translation", 5e10, monkeypatch, "bayling2_7b")
    assert found.state == "ok"
    assert "5.9 GB" in found.says or "6." in found.says


def test_what_is_not_known_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "lake").mkdir()
    lineage = load_lineage(PROJECT / "catalog", tmp_path / "lake")
    planner = Lake(tmp_path / "lake", lineage.graph).planner()
    found = disk(planner, lineage.study("my_data"), tmp_path / "lake", {"minicpm_2b": None})
    assert found.state == "warning"
    assert "without minicpm_2b" in found.says
