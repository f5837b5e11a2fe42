"""Which rows a rehearsal reads: real ones where they are, the beginning of large files, made-up ones elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lineage import load_lineage
from rc_pipeline.rehearsing.datasets import Data, data_of


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    (tmp_path / "lake" / "inbox" / "mine").mkdir(parents=True)
    return tmp_path / "lake"


def of(lake: Path, source: dict[str, Any], *, cut: bool = False) -> Data:
    """Return what stands in for a dataset in Alpaca's format from this source."""
    catalog = lake.parent / "catalog"
    shutil.copytree(PROJECT / "catalog", catalog)
    told = {"title": "Mine", "format": "alpaca", "source": source, "expected_rows": {"train": 7}}
    (catalog / "datasets" / "mine.yaml").write_text(yaml.safe_dump(told))
    lineage = load_lineage(catalog, lake)
    planner = Lake(lake, lineage.graph).planner()

    def shorten(path: Path, fmt: str) -> Path:
        assert fmt == "alpaca"
        return path.with_name("beginning.json") if cut else path

    return data_of(lineage.catalog, "mine", planner, lake / "made", shorten)


def test_a_file_that_is_not_there_is_a_problem_with_its_place(lake: Path) -> None:
    found = of(lake, {"files": {"train.json": "mine/rows.json"}})

    assert found.finding is not None and found.finding.state == "problem"
    assert str(lake / "inbox" / "mine" / "rows.json") in found.finding.says
    assert not found.real and found.changes["expected_rows"] == {}
    assert all(Path(path).is_file() for path in found.changes["source"]["files"].values())


def test_what_would_be_downloaded_is_a_warning(lake: Path) -> None:
    found = of(lake, {"download": {"train.json": {"url": "https://example.org/x", "sha256": "0" * 64}}})

    assert found.finding is not None and found.finding.state == "warning"
    assert "make build KEY=raw/mine" in found.finding.remedy


def test_a_file_that_is_there_is_read_whole_and_counted(lake: Path) -> None:
    path = lake / "inbox" / "mine" / "rows.json"
    path.write_text("[]")
    found = of(lake, {"files": {"train.json": "mine/rows.json"}})

    assert found == Data({"source": {"files": {"train.json": str(path)}}})


def test_the_beginning_of_a_file_is_not_held_against_the_publishers_count(lake: Path) -> None:
    (lake / "inbox" / "mine" / "rows.json").write_text("[]")
    found = of(lake, {"files": {"train.json": "mine/rows.json"}}, cut=True)

    assert found.changes["expected_rows"] == {}
    assert found.real and found.says == "its beginning"
