from __future__ import annotations

import json
from pathlib import Path

import pytest

from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.hashing import sha256_file
from rc_pipeline.lake.manifest import MANIFEST
from rc_pipeline.lake.planner import Cached
from rc_pipeline.lineage import load_lineage

DATASET = """\
title: Mine
format: records
source: {files: {train.jsonl: mine.jsonl}}
columns: {question: 问题, answer: 答案}
"""
TEMPLATE = 'instruction: "{{ question }}"\noutput: "{{ answer }}"\n'
DOWNLOAD = "source: {download: {train.jsonl: {url: https://example.org/t, sha256: " + "0" * 64 + "}}}"


def laid_out(folder: Path, dataset: str) -> Lake:
    files = {"datasets/mine.yaml": dataset, "tasks/mine/ask.yaml": TEMPLATE}
    for name, text in files.items():
        path = folder / "catalog" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    raw = folder / "lake" / "inbox" / "mine.jsonl"
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.write_text(json.dumps({"问题": "谁？", "答案": "我"}), encoding="utf-8")
    return Lake(folder / "lake", load_lineage(folder / "catalog", folder / "lake").graph)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    from assets import instructions, raw, tables

    lake = laid_out(tmp_path, DATASET)
    for stage in (raw, tables, instructions):
        lake.obtain(f"{stage.__name__.removeprefix('assets.')}/mine", lambda work, stage=stage: stage.build(work, None))
    return tmp_path


def test_another_order_of_columns_is_the_same_table(built: Path) -> None:
    before = laid_out(built, DATASET).graph["tables/mine"].settings["options"]
    lake = laid_out(built, DATASET.replace("{question: 问题, answer: 答案}", "{answer: 答案, question: 问题}"))
    assert json.dumps(lake.graph["tables/mine"].settings["options"]) == json.dumps(before)
    assert isinstance(lake.planner().state("instructions/mine"), Cached)


@pytest.mark.parametrize("change", ["tolerated_bad_rows: 0.5", "expected_rows: {train: 2}", "columns: {answer: 问题}"])
def test_what_decides_a_table_rebuilds_it_and_not_the_raw_files(built: Path, change: str) -> None:
    field = change.partition(":")[0]
    kept = [line for line in DATASET.splitlines() if not line.startswith(field)]
    template = laid_out(built, DATASET)
    assert isinstance(template.planner().state("tables/mine"), Cached)
    planner = laid_out(built, "\n".join([*kept, change.replace("{answer:", "{question: 问题, answer:")])).planner()
    assert isinstance(planner.state("raw/mine"), Cached)
    assert not isinstance(planner.state("tables/mine"), Cached)


def test_a_download_that_is_read_as_another_format_is_the_same_download(tmp_path: Path) -> None:
    records = DATASET.replace("source: {files: {train.jsonl: mine.jsonl}}", DOWNLOAD)
    talk = records.replace("columns: {question: 问题, answer: 答案}\n", "tasks: alpaca\n").replace("records", "alpaca")
    (tmp_path / "catalog/tasks/alpaca").mkdir(parents=True)
    (tmp_path / "catalog/tasks/alpaca/answer.yaml").write_text(
        'instruction: "{{ instruction }}"\noutput: "{{ output }}"\n', encoding="utf-8"
    )
    first = laid_out(tmp_path, records).graph["raw/mine"].settings
    (tmp_path / "catalog/datasets/mine.yaml").write_text(talk, encoding="utf-8")
    (tmp_path / "catalog/tasks/mine/ask.yaml").unlink()
    (tmp_path / "catalog/tasks/mine").rmdir()
    graph = load_lineage(tmp_path / "catalog", tmp_path / "lake").graph
    assert graph["tables/mine"].settings["format"] == "alpaca"
    assert graph["raw/mine"].settings == first


def test_a_download_from_elsewhere_is_the_same_file_and_its_url_is_in_no_manifest(tmp_path: Path) -> None:
    from assets import raw

    raw_file = tmp_path / "secret-key" / "t.jsonl"
    raw_file.parent.mkdir()
    raw_file.write_text('{"问题": "谁？", "答案": "我"}\n', encoding="utf-8")
    source = f"source: {{download: {{train.jsonl: {{url: {raw_file.as_uri()}, sha256: {sha256_file(raw_file)}}}}}}}"
    dataset = DATASET.replace("source: {files: {train.jsonl: mine.jsonl}}", source)
    built = laid_out(tmp_path, dataset).obtain("raw/mine", lambda work: raw.build(work, None))
    assert (built.folder / "files" / "train.jsonl").read_bytes() == raw_file.read_bytes()
    assert "secret-key" not in (built.folder / MANIFEST).read_text(encoding="utf-8")
    moved = laid_out(tmp_path, dataset.replace("secret-key", "another"))
    assert isinstance(moved.planner().state("raw/mine"), Cached)
