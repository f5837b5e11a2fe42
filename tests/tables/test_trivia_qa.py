from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.corpora.readers import CorpusError
from rc_pipeline.corpora.sources import raw_files, write_raw
from rc_pipeline.lake.hashing import content_hash
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.tables import evidence, trivia_questions
from rc_pipeline.tables.build import build_tables
from rc_pipeline.tables.quarantine import TablesError
from tests.corpora.raw_archives import Entry, qa_file, question, write_tar_gz

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "trivia_qa"
TRAIN = "qa/wikipedia-train.json"


def build(folder: Path, entries: list[Entry], tolerated: float = 0.0) -> Outcome:
    raw = {"triviaqa-rc.tar.gz": write_tar_gz(folder / "triviaqa-rc.tar.gz", entries)}
    return build_tables(dataset="trivia", fmt="trivia_qa", raw=raw, tolerated=tolerated, out=folder / "out")


def table(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(folder / "out" / f"{name}.parquet")


def document(name: str, text: str | bytes = "Some text.\n") -> tuple[str, bytes]:
    return f"evidence/wikipedia/{name}", text if isinstance(text, bytes) else text.encode()


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([], "no question file such as qa/wikipedia-train.json"),
        ([document("A.txt"), ("README", b"x")], "no question file such as qa/wikipedia-train.json"),
        ([(TRAIN, qa_file([]))], f"no questions in {TRAIN}"),
        ([(TRAIN, qa_file([question(1)])), (f"copy/{TRAIN}", b"")], "is also in qa/wikipedia-train.json"),
    ],
)
def test_an_archive_without_questions_or_with_two_of_a_split_is_an_error(
    tmp_path: Path, entries: list[Entry], said: str
) -> None:
    with pytest.raises(TablesError, match=said):
        build(tmp_path, entries)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"data": []}', qa_file([question(1)])[:-30]])
def test_a_question_file_of_another_shape_or_cut_off_is_named(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(CorpusError, match=f"triviaqa-rc.tar.gz: {TRAIN}"):
        build(tmp_path, [(TRAIN, data)])


def test_bad_questions_are_quarantined_and_too_many_are_an_error(tmp_path: Path) -> None:
    spoilt = [
        question(1, Answer={"Value": "x", "NormalizedAliases": []}),
        question(2, Question="  "),
        question(3, Question="a\0?"),
        question(0, Question="Again?"),
    ]
    entries: list[Entry] = [(TRAIN, qa_file([question(0), *spoilt, question(9, files=["A.txt"])])), document("A.txt")]
    with pytest.raises(TablesError, match=r"trivia_questions, split wikipedia-train: 4 of 6 rows are bad"):
        build(tmp_path, entries, 0.5)
    outcome = build(tmp_path, entries, 0.7)
    assert table(tmp_path, "questions/wikipedia-train")["id"].to_list() == ["tc_0", "tc_9"]
    assert set(table(tmp_path, "answers/wikipedia-train")["row_id"]) == {
        "trivia/wikipedia-train/tc_0",
        "trivia/wikipedia-train/tc_9",
    }
    quarantine = table(tmp_path, "quarantine/trivia_questions")
    assert sorted(quarantine["reason"]) == [
        "control_character",
        "duplicate_question_id",
        "empty_question",
        "no_aliases",
    ]
    assert set(quarantine["table"]) == {"trivia_questions"}
    assert set(quarantine["source_file"]) == {TRAIN}
    assert outcome.metadata["quarantined"] == 4


def test_a_page_whose_document_is_missing_is_kept_without_it_and_counted(tmp_path: Path) -> None:
    entries: list[Entry] = [
        (TRAIN, qa_file([question(1, files=["A.txt", "Missing.txt"])])),
        document("A.txt"),
        document("Uncited.txt"),
    ]
    outcome = build(tmp_path, entries)
    assert table(tmp_path, "pages/wikipedia-train").select("filename", "evidence_id").rows() == [
        ("A.txt", "wikipedia/A.txt"),
        ("Missing.txt", None),
    ]
    reason = "pages without document: not_in_archive"
    assert outcome.metadata[reason] == 1
    check = next(check for check in outcome.checks if check.name == "every_cited_document_is_there")
    assert (check.passed, check.blocking, check.metadata) == (False, False, {"missing": 1, "pages": 2, reason: 1})


def test_documents_that_cannot_be_used_are_quarantined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MAX_DOCUMENT_BYTES", 100)
    entries: list[Entry] = [
        (TRAIN, qa_file([question(1, files=["A.txt", "Empty.txt"])])),
        *(document(name) for name in ("A.txt", "A.txt")),
        document("Empty.txt", " \n"),
        document("Large.txt", "word " * 50),
    ]
    outcome = build(tmp_path, entries, 0.75)
    quarantine = table(tmp_path, "quarantine/trivia_evidence").sort("reason")
    assert quarantine.select("reason", "source_file", "split", "table").rows() == [
        ("document_too_large", "evidence/wikipedia/Large.txt", "wikipedia", "trivia_evidence"),
        ("duplicate_document", "evidence/wikipedia/A.txt", "wikipedia", "trivia_evidence"),
        ("empty_text", "evidence/wikipedia/Empty.txt", "wikipedia", "trivia_evidence"),
    ]
    assert table(tmp_path, "pages/wikipedia-train")["evidence_id"].to_list() == ["wikipedia/A.txt", None]
    assert outcome.metadata["pages without document: document_quarantined"] == 1


def test_documents_with_spoilt_bytes_are_repaired_and_counted(tmp_path: Path) -> None:
    entries: list[Entry] = [
        (TRAIN, qa_file([question(1)])),
        document("Bytes.txt", b"\xef\xbb\xbfcaf\xe9 here"),
        document("Nul.txt", b"a\0b"),
    ]
    outcome = build(tmp_path, entries)
    assert table(tmp_path, "evidence/wikipedia").select("filename", "text", "words").rows() == [
        ("Bytes.txt", "caf\ufffd here", 2),
        ("Nul.txt", "a b", 2),
    ]
    assert outcome.metadata["documents with bytes that are not UTF-8"] == 1
    assert outcome.metadata["documents with control characters"] == 1


def test_a_question_in_two_splits_is_a_warning(tmp_path: Path) -> None:
    entries: list[Entry] = [
        (TRAIN, qa_file([question(1), question(2)])),
        ("qa/wikipedia-dev.json", qa_file([question(3, Question=question(1)["Question"])])),
        ("qa/web-dev.json", qa_file([question(2)])),
    ]
    checks = {check.name: check for check in build(tmp_path, entries).checks}
    shared = checks["splits_share_no_question"]
    assert (shared.passed, shared.blocking, shared.metadata) == (False, False, {"wikipedia": 1, "web": 0})


def test_only_the_splits_that_are_there_become_tables(tmp_path: Path) -> None:
    datum: dict[str, Any] = question(5, files=["A.txt"], SearchResults=[{"Filename": "1/1_2.txt", "Title": "T"}])
    unanswered = {key: value for key, value in datum.items() if key != "Answer"}
    entries: list[Entry] = [
        ("qa/web-dev.json", qa_file([datum])),
        ("qa/web-test-without-answers.json", qa_file([unanswered])),
        ("README", b"x"),
        ("evidence/web/1/1_2.txt", b"three short words"),
        document("A.txt"),
    ]
    outcome = build(tmp_path, entries)
    asked = ("trivia_evidence", "trivia_pages", "trivia_questions")
    assert outcome.tables == {
        "trivia_questions": ["questions/web-dev.parquet", "questions/web-test.parquet"],
        "trivia_answers": ["answers/web-dev.parquet", "answers/web-test.parquet"],
        "trivia_pages": ["pages/web-dev.parquet", "pages/web-test.parquet"],
        "trivia_evidence": ["evidence/wikipedia.parquet", "evidence/web.parquet"],
        **{f"{one}_quarantine": [f"quarantine/{one}.parquet"] for one in asked},
        "trivia_quarantine": [f"quarantine/{one}.parquet" for one in asked],
        "quarantine": [f"quarantine/{one}.parquet" for one in asked],
        "quarantine_counts": ["quarantine_counts.parquet"],
    }
    assert outcome.metadata["archive members ignored"] == 1
    assert table(tmp_path, "questions/web-dev").rows() == [
        (
            "trivia/web-dev/tc_5",
            "web-dev",
            "tc_5",
            "Which musical is number 5?",
            "Sunset Boulevard",
            "WikipediaEntity",
            "s",
            None,
            "qa/web-dev.json",
            3,
        )
    ]
    assert table(tmp_path, "answers/web-dev").drop("row_id").rows() == [
        ("Sunset Blvd", False, False),
        ("Sunset Boulevard", False, False),
        ("sunset blvd", True, False),
        ("sunset boulevard", True, False),
    ]
    assert table(tmp_path, "pages/web-test").select("row_id", "position", "kind", "filename", "evidence_id").rows() == [
        ("trivia/web-test/tc_5", 0, "entity", "A.txt", "wikipedia/A.txt"),
        ("trivia/web-test/tc_5", 1, "search", "1/1_2.txt", "web/1/1_2.txt"),
    ]
    assert table(tmp_path, "evidence/web").rows() == [("web/1/1_2.txt", "web", "1/1_2.txt", "three short words", 3)]


def test_the_same_archive_gives_the_same_content_whatever_the_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = {"seed": 5, "train": 40, "valid": 10, "test": 10}
    write_raw(source={"sample": sample}, fmt="trivia_qa", files={}, out=tmp_path / "raw", scratch=tmp_path / "scratch")
    seen = []
    for batch in (1, 500, 32 << 20):
        monkeypatch.setattr(evidence, "PIECE_BYTES", batch // 2)
        monkeypatch.setattr(evidence, "BATCH_BYTES", batch)
        monkeypatch.setattr(trivia_questions, "BATCH_QUESTIONS", batch)
        out = tmp_path / f"out-{batch}"
        outcome = build_tables(dataset="s", fmt="trivia_qa", raw=raw_files(tmp_path / "raw"), tolerated=0.0, out=out)
        files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.parquet"))
        seen.append({name: content_hash(out / name) for name in files} | {"metadata": str(outcome.to_json())})
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0]) == 3 * 8 + 2 + 3 + 1 + 1


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real samples are not here")
def test_the_real_sample_becomes_tables(tmp_path: Path) -> None:
    raw = (SHARED / "triviaqa_sample.json").read_bytes()
    entries: list[Entry] = [("qa/web-dev.json", raw), document("Andrew_Lloyd_Webber.txt", "A life in musicals.")]
    outcome = build(tmp_path, entries)
    assert outcome.metadata["rows of web-dev"] == len(json.loads(raw)["Data"]) == 1
    assert table(tmp_path, "pages/web-dev").select("kind", "evidence_id").rows() == [
        ("entity", "wikipedia/Andrew_Lloyd_Webber.txt"),
        ("search", None),
    ]
    assert table(tmp_path, "answers/web-dev").filter("normalised").height == 4
