"""Made-up rows: every format's own reader takes them, every one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.catalog import Catalog, load_catalog
from rc_pipeline.catalog.formats import FORMATS
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.rehearsing.made_up import made_up_source
from rc_pipeline.starting.texts import dataset_text
from rc_pipeline.tables.build import build_tables

MADE = [fmt for fmt in FORMATS if fmt not in {"identity", "cosmos_qa", "trivia_qa"}]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    folder = Path(shutil.copytree(PROJECT / "catalog", tmp_path_factory.mktemp("made") / "catalog"))
    for fmt in MADE:
        (folder / "datasets" / f"x_{fmt}.yaml").write_text(dataset_text(f"x_{fmt}", fmt), encoding="utf-8")
    return load_catalog(folder)


@pytest.mark.parametrize("fmt", MADE)
def test_no_row_of_a_format_is_bad(catalog: Catalog, tmp_path: Path, fmt: str) -> None:
    dataset = catalog.datasets[f"x_{fmt}"]
    source = made_up_source(dataset, tmp_path / "made")
    options: dict[str, Any] = {
        "columns": dict(dataset.columns), "languages": dataset.languages and dataset.languages.model_dump()
    }  # fmt: skip
    outcome = build_tables(
        dataset=dataset.title,
        fmt=fmt,
        raw={name: Path(path) for name, path in source["files"].items()},
        tolerated=0,
        options={name: value for name, value in options.items() if value},
        expected={},
        out=tmp_path / "out",
    )

    assert outcome.metadata["quarantined"] == 0
    tables = [path for path in (tmp_path / "out").rglob("*.parquet") if "quarantine" not in path.name]
    assert sum(pl.read_parquet(path).height for path in tables) >= 40


def test_a_csv_in_chinese_has_the_columns_that_its_dataset_names(catalog: Catalog, tmp_path: Path) -> None:
    source = made_up_source(catalog.datasets["my_data"], tmp_path / "made")

    assert set(source["files"]) == {"train.json", "test.json"}
    rows = pl.read_json(source["files"]["train.json"])
    assert rows.columns == ["编号", "文章", "问题", "答案"]
    assert rows.height == 400
