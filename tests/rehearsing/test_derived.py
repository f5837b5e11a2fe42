"""The catalog of a rehearsal: what a study asks for, smaller; how it asks, unchanged."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from rc_pipeline.catalog import Catalog, load_catalog
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.rehearsing.derived import used, write_catalog

PREFIX = {"method": "prefix", "virtual_tokens": 7, "max_tokens": 300, "epochs": 3.0}
STUDY: dict[str, Any] = {
    "title": "Mine",
    "train_on": {"sample_cosmos": "98%", "sample_trivia": "2%"},
    "evaluate_on": {"sample_cosmos/valid": "all", "sample_trivia/wikipedia-dev": 3},
    "runs": {
        "one": {"model": "rc_tiny", "tune": PREFIX},
        "two": {"model": "rc_tiny", "train_on": {"sample_cosmos": 1000}, "tune": {"rank": 64, "batch_size": 64}},
    },
    "ablations": {
        "rows": {"of": "two", "vary": {"train_on.sample_cosmos": [100, 1000, 2000]}},
        "room": {"of": "two", "vary": {"tune.max_tokens": [64, 128]}},
    },
}  # fmt: skip


def small(tmp_path: Path, study: dict[str, Any], rows: int = 8) -> Catalog:
    shutil.copytree(PROJECT / "catalog", tmp_path / "catalog")
    (tmp_path / "catalog" / "studies" / "mine.yaml").write_text(yaml.safe_dump(study))
    catalog = load_catalog(tmp_path / "catalog")
    datasets, models = used(catalog, "mine")
    write_catalog(
        catalog,
        "mine",
        tmp_path / "small",
        rows=rows,
        datasets={name: {} for name in datasets},
        models={name: {} for name in models},
    )
    return load_catalog(tmp_path / "small")


def test_rows_are_few_and_everything_else_is_as_it_was(tmp_path: Path) -> None:
    found = small(tmp_path, STUDY)

    tune = found.runs["one"].tune
    assert tune is not None
    assert (tune.method, tune.virtual_tokens, tune.max_tokens, tune.epochs) == ("prefix", 7, 300, 1.0)
    assert found.runs["two"].tune is not None and found.runs["two"].tune.rank == 64
    assert found.runs["two"].tune.batch_size == 8
    assert found.runs["two"].train_on == {"sample_cosmos": 8}
    assert found.runs["one"].evaluate_on == {"sample_cosmos/valid": 4, "sample_trivia/wikipedia-dev": 4}


def test_a_small_share_is_still_a_row(tmp_path: Path) -> None:
    run = small(tmp_path, STUDY).runs["one"]
    assert run.train_on == {"sample_cosmos": "98%", "sample_trivia": "2%"}
    assert run.mixture is not None and run.mixture.rows == 50


def test_numbers_of_rows_that_are_varied_stay_apart(tmp_path: Path) -> None:
    found = small(tmp_path, STUDY)
    rows = {run.train_on["sample_cosmos"] for run in found.runs.values() if set(run.train_on) == {"sample_cosmos"}}
    assert rows == {8, 9, 10}
    assert len(found.study_runs["mine"]) == 7


def test_only_what_the_study_uses_is_there(tmp_path: Path) -> None:
    found = small(tmp_path, STUDY)
    assert set(found.datasets) == {"sample_cosmos", "sample_trivia"}
    assert set(found.models) == {"rc_tiny"}
    assert list(found.studies) == ["mine"]


@pytest.mark.parametrize("study", sorted(path.stem for path in (PROJECT / "catalog" / "studies").glob("*.yaml")))
def test_every_study_that_comes_along_can_be_made_small(tmp_path: Path, study: str) -> None:
    told = yaml.safe_load((PROJECT / "catalog" / "studies" / f"{study}.yaml").read_text(encoding="utf-8"))
    (tmp_path / "rest").mkdir()
    shutil.copytree(PROJECT / "catalog", tmp_path / "rest" / "catalog")
    catalog = load_catalog(tmp_path / "rest" / "catalog")
    datasets, models = used(catalog, study)
    write_catalog(
        catalog,
        study,
        tmp_path / "small",
        rows=8,
        datasets={name: {} for name in datasets},
        models={name: {} for name in models},
    )
    found = load_catalog(tmp_path / "small")

    assert set(found.study_runs[study]) == set(catalog.study_runs[study])
    assert found.studies[study].title == told["title"]
