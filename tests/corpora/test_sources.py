from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rc_pipeline.corpora import downloads
from rc_pipeline.corpora.downloads import DownloadFailed
from rc_pipeline.corpora.readers import CorpusError
from rc_pipeline.corpora.sources import raw_files, write_raw
from rc_pipeline.lake.hashing import RememberedHashes
from tests.corpora.file_server import DATA, SHA256, Site, serving


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as one:
        yield one


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden"])
def test_a_download_never_leaves_its_folder(tmp_path: Path, name: str) -> None:
    source = {"download": {name: {"url": "http://127.0.0.1:1/x", "sha256": SHA256}}}
    with pytest.raises(CorpusError, match="no plain file name"):
        write_raw(source=source, fmt="cosmos_qa", files={}, out=tmp_path / "o", scratch=tmp_path)


def test_a_download_is_found_by_its_name(tmp_path: Path, site: Site) -> None:
    source = {"download": {"train.csv": {"url": site.url, "sha256": SHA256}}}
    outcome = write_raw(source=source, fmt="cosmos_qa", files={}, out=tmp_path / "out", scratch=tmp_path / "scratch")
    assert outcome.metadata == {"files": 1, "bytes": len(DATA), "bytes of train.csv": len(DATA)}
    assert raw_files(tmp_path / "out") == {"train.csv": tmp_path / "out" / "files" / "train.csv"}
    assert (tmp_path / "out" / "files" / "train.csv").read_bytes() == DATA


def test_what_a_try_that_failed_brought_is_not_fetched_again(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "TRIES", 1)
    site.answers = [None, lambda handler: handler.serve(until=1000)]
    source = {"download": {name: {"url": site.url, "sha256": SHA256} for name in ("a.csv", "b.csv")}}
    scratch, said = tmp_path / "scratch", list[str]()
    with pytest.raises(DownloadFailed):
        write_raw(source=source, fmt="cosmos_qa", files={}, out=tmp_path / "first", scratch=scratch)
    assert list((tmp_path / "first").iterdir()) == []
    write_raw(source=source, fmt="cosmos_qa", files={}, out=tmp_path / "next", scratch=scratch, say=said.append)
    assert sorted(raw_files(tmp_path / "next")) == ["a.csv", "b.csv"]
    assert site.ranges == [None, None, "bytes=1000-"]
    assert said == ["b.csv: going on after the 1,000 bytes that are here already"]
    assert list(scratch.iterdir()) == []


def test_files_of_the_user_are_noted_and_not_copied(tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_bytes(DATA)
    out = tmp_path / "out"
    write_raw(
        source={"files": {"train.csv": "mine.csv"}},
        fmt="cosmos_qa",
        files={"train.csv": mine},
        out=out,
        scratch=tmp_path,
    )
    assert sorted(path.name for path in out.iterdir()) == ["_paths.json", "sources.json"]
    noted = json.loads((out / "sources.json").read_text())
    assert noted == {"train.csv": SHA256}
    assert raw_files(out) == {"train.csv": mine}


def test_a_file_of_the_user_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(CorpusError, match=f"{path}: the file cannot be read"):
            write_raw(
                source={"files": {}}, fmt="cosmos_qa", files={"train.csv": path}, out=tmp_path / "out", scratch=tmp_path
            )


def test_a_folder_of_the_user_is_one_source_known_by_all_of_its_files(tmp_path: Path) -> None:
    folder, noted = tmp_path / "mine", []
    (folder / "inner").mkdir(parents=True)
    (folder / "a.json").write_bytes(b"12")
    for text in (b"345", b"346"):
        (folder / "inner" / "b.json").write_bytes(text)
        outcome = write_raw(
            source={"files": ["mine"]}, fmt="cosmos_qa", files={"mine": folder}, out=tmp_path / "out",
            scratch=tmp_path, digest=RememberedHashes(tmp_path / "hashes").of,
        )  # fmt: skip
        assert outcome.metadata == {"files": 1, "bytes": 5, "bytes of mine": 5}
        assert raw_files(tmp_path / "out") == {"mine": folder}
        noted.append((tmp_path / "out" / "sources.json").read_text())
    assert noted[0] != noted[1]


def test_the_facts_of_an_identity_are_its_raw_file(tmp_path: Path) -> None:
    facts = {"zh": {"name": "小灯", "developers": "灯塔组", "abilities": ["回答问题"]}}
    write_raw(source={"identity": facts}, fmt="identity", files={}, out=tmp_path / "out", scratch=tmp_path)
    assert json.loads(raw_files(tmp_path / "out")["identity.json"].read_text(encoding="utf-8")) == facts


def test_the_same_sample_is_the_same_bytes(tmp_path: Path) -> None:
    for fmt, names in (("cosmos_qa", ["test.jsonl", "train.csv", "valid.csv"]), ("trivia_qa", ["triviaqa-rc.tar.gz"])):
        seen = []
        for turn in ("first", "second"):
            out = tmp_path / fmt / turn
            sample = {"seed": 3, "train": 6, "valid": 3, "test": 2}
            write_raw(source={"sample": sample}, fmt=fmt, files={}, out=out, scratch=tmp_path)
            seen.append({name: path.read_bytes() for name, path in raw_files(out).items()})
        assert seen[0] == seen[1]
        assert sorted(seen[0]) == names


def test_a_format_without_a_sample_is_an_error(tmp_path: Path) -> None:
    sample = {"seed": 3, "train": 6, "valid": 3, "test": 2}
    with pytest.raises(CorpusError, match="no sample of format 'alpaca'"):
        write_raw(source={"sample": sample}, fmt="alpaca", files={}, out=tmp_path, scratch=tmp_path)
