"""An archive with every quirk that is known of TriviaQA, and the folder that it unpacks into."""

from __future__ import annotations

import tarfile
import unicodedata
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.corpora.readers import CorpusError
from rc_pipeline.lake.hashing import content_hash
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.tables.build import build_tables
from tests.corpora.raw_archives import Entry, qa_file, question, write_tar_gz

STORED = unicodedata.normalize("NFD", "Café.txt")
CITED = [
    "Café.txt",
    "mcdonald.txt",
    "A%26B.txt",
    "Who?.txt",
    "Twice.txt",
    "uS.txt",
    "Gone.txt",
    "Empty.txt",
    "Plain.txt",
]


def verified(number: int, *, question_holds: bool, page_holds: bool) -> dict[str, Any]:
    page = {"Filename": "1/1_2.txt", "Title": "T", "Rank": 0, "DocPartOfVerifiedEval": page_holds}
    return question(number, SearchResults=[page], QuestionPartOfVerifiedEval=question_holds)


def quirks() -> list[Entry]:
    """Every member in the order of a folder that is read by name."""
    train = [question(n, files=CITED if n == 0 else ["Plain.txt"]) for n in range(20)]
    train[7] = question(7, Question=" ")
    train[8] = question(6)
    return [
        ("README", b"about"),
        ("evidence/README", b"about"),
        ("evidence/web/1/._1_2.txt", b"\0\5\x16\7"),
        ("evidence/web/1/1_2.txt", b"\xef\xbb\xbfthree short words"),
        ("evidence/wikipedia/A&B.txt", b"and"),
        (f"evidence/wikipedia/{STORED}", "咖啡".encode()),
        ("evidence/wikipedia/Empty.txt", b""),
        ("evidence/wikipedia/McDonald.txt", b"bytes \xff\xfe"),
        ("evidence/wikipedia/Plain.txt", b"plain\r\n"),
        ("evidence/wikipedia/Twice.txt", b"zero \0"),
        ("evidence/wikipedia/US.txt", b"US"),
        ("evidence/wikipedia/Us.txt", b"us"),
        ("evidence/wikipedia/Who_.txt", b"who"),
        ("qa/._web-dev.json", b"\0\5\x16\7"),
        ("qa/verified-web-dev.json", qa_file([verified(1, question_holds=True, page_holds=False)])),
        ("qa/web-dev.json", b"\xef\xbb\xbf" + qa_file([question(1, SearchResults=[{"Rank": 1}])])),
        ("qa/wikipedia-train.json", qa_file(train)),
    ]


def build(raw: Path, out: Path) -> Outcome:
    return build_tables(dataset="trivia", fmt="trivia_qa", raw={"raw": raw}, tolerated=1.0, out=out)


def test_every_quirk_is_counted_by_its_name(tmp_path: Path) -> None:
    outcome = build(write_tar_gz(tmp_path / "quirks.tar.gz", quirks()), tmp_path / "out")
    metadata = {name: value for name, value in outcome.metadata.items() if name != "preview"}
    assert metadata == {
        "rows of wikipedia-train": 18,
        "rows of web-dev": 1,
        "rows of verified-web-dev": 1,
        "documents of wikipedia": 8,
        "documents of web": 1,
        "pages": 27,
        "pages whose document has another name: unicode_form": 1,
        "pages whose document has another name: case": 1,
        "pages whose document has another name: percent_encoding": 1,
        "pages whose document has another name: replaced_characters": 1,
        "pages without document: name_is_ambiguous": 1,
        "pages without document: not_in_archive": 1,
        "pages without document: document_quarantined": 1,
        "archive members ignored": 2,
        "macOS ._ files ignored": 2,
        "documents with bytes that are not UTF-8": 1,
        "documents with control characters": 1,
        "quarantined": 4,
        "quarantined: duplicate_question_id": 1,
        "quarantined: empty_question": 1,
        "quarantined: empty_text": 1,
        "quarantined: missing_field": 1,
    }
    assert [(check.name, check.blocking, check.passed) for check in outcome.checks] == [
        ("quarantine_within_tolerance", True, True),
        ("foreign_keys_hold", True, True),
        ("every_cited_document_is_there", False, False),
        ("splits_share_no_question", False, True),
    ]


def test_verified_rows_are_told_apart_and_all_are_kept(tmp_path: Path) -> None:
    build(write_tar_gz(tmp_path / "quirks.tar.gz", quirks()), tmp_path / "out")
    assert pl.read_parquet(tmp_path / "out/questions/verified-web-dev.parquet")["verified"].to_list() == [True]
    assert pl.read_parquet(tmp_path / "out/pages/verified-web-dev.parquet")["verified"].to_list() == [False]
    assert pl.read_parquet(tmp_path / "out/questions/web-dev.parquet")["verified"].to_list() == [None]


def test_an_unpacked_folder_gives_the_same_tables_as_the_archive(tmp_path: Path) -> None:
    archive = write_tar_gz(tmp_path / "quirks.tar.gz", quirks())
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "folder", filter="data")
    packed, unpacked = build(archive, tmp_path / "packed"), build(tmp_path / "folder", tmp_path / "unpacked")
    assert packed == unpacked
    files = sorted(path.relative_to(tmp_path / "packed") for path in (tmp_path / "packed").rglob("*.parquet"))
    assert len(files) > 12
    for file in files:
        assert content_hash(tmp_path / "packed" / file) == content_hash(tmp_path / "unpacked" / file), file


@pytest.mark.parametrize("target", ["/etc/passwd", "Plain.txt"])
def test_a_link_in_an_unpacked_folder_is_refused(tmp_path: Path, target: str) -> None:
    folder = tmp_path / "folder" / "evidence" / "wikipedia"
    folder.mkdir(parents=True)
    (folder / "Plain.txt").write_text("text")
    (folder / "Link.txt").symlink_to(target)
    with pytest.raises(CorpusError, match=r"Link\.txt: it is a link"):
        build(tmp_path / "folder", tmp_path / "out")


@pytest.mark.parametrize(
    "last",
    [("qa/web-train.json", b'{"Data": [{"QuestionId": "tc_1"'), ("../evil", b"x"), ("qa/web-dev.json", b"<html>")],
)
def test_a_failed_build_leaves_nothing_behind(tmp_path: Path, last: Entry) -> None:
    archive = write_tar_gz(tmp_path / "bad.tar.gz", [*quirks()[:-2], last])
    with pytest.raises(CorpusError, match=r"bad\.tar\.gz"):
        build(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.tar.gz"]
