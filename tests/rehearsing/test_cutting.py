"""The beginning of large files: whole rows only, and the documents that the questions kept cite."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path

import pytest

from rc_pipeline.corpora.sample_world import write_trivia
from rc_pipeline.rehearsing import cutting
from rc_pipeline.rehearsing.cutting import cut
from rc_pipeline.tables.build import build_tables


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "LARGE", 1000)
    monkeypatch.setattr(cutting, "QUESTIONS_A_SPLIT", 3)


def beginning(path: Path, fmt: str = "records") -> Path:
    return cut(path, fmt, path.parent / "beginnings", lambda _: None)


def test_a_small_file_is_read_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("a,b\n1,2\n")
    assert beginning(tmp_path / "train.csv") == tmp_path / "train.csv"


def test_no_quoted_text_is_cut_in_two(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *([n, 'a "quoted" text\nover two lines ' * 9] for n in range(50))])
    with beginning(path).open(newline="") as file:
        rows = list(csv.reader(file))
    with path.open(newline="") as file:
        assert rows == list(csv.reader(file))[: len(rows)]
    assert 2 < len(rows) < 20


def test_a_list_of_json_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    path.write_text(json.dumps([{"text": "词" * 50, "n": n} for n in range(100)], ensure_ascii=False))
    rows = json.loads(beginning(path).read_text())
    assert [row["n"] for row in rows] == list(range(len(rows)))
    assert 2 < len(rows) < 20


def test_a_beginning_is_kept_until_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('{"a": 1}\n' * 500)
    first = beginning(path)
    stamp = first.stat().st_mtime_ns
    assert beginning(path) == first
    assert first.stat().st_mtime_ns == stamp
    path.write_text('{"a": 2}\n' * 501)
    assert beginning(path) != first


@pytest.mark.parametrize("documents_first", [True, False])
def test_questions_of_an_archive_keep_their_documents(tmp_path: Path, documents_first: bool) -> None:
    path = next(one for one in write_trivia(tmp_path, seed=1, train=30, dev=20, test=5) if one.name.endswith(".tar.gz"))
    with tarfile.open(path) as archive:
        members = [(each.name, archive.extractfile(each).read()) for each in archive if each.isfile()]  # type: ignore[union-attr]
    members.sort(key=lambda member: ("evidence/" in member[0]) is not documents_first)
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members:
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))

    kept = beginning(path, "trivia_qa")
    outcome = build_tables(
        dataset="quiz",
        fmt="trivia_qa",
        raw={path.name: kept},
        tolerated=0,
        options={},
        expected={},
        out=tmp_path / "out",
    )

    assert {check.name: check.passed for check in outcome.checks}["every_cited_document_is_there"]
    assert kept.stat().st_size < sum(len(data) for _, data in members) / 2
