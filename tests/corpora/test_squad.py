from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rc_pipeline.corpora.inventory import opened
from rc_pipeline.corpora.readers import REMEDIES, BadRow, CorpusError, Row
from rc_pipeline.corpora.squad import read_questions

CONTEXT = "范廷颂枢机，1963年被任命为主教；1990年升任总主教，1994年升任枢机。"
YEAR = {"text": "1963年", "answer_start": 6}


def qa(number: int = 1, *answers: Any, **changes: Any) -> dict[str, Any]:
    return {"id": f"Q{number}", "question": "何时任主教？", "answers": list(answers) or [YEAR]} | changes


def paragraph(*qas: Any, **changes: Any) -> dict[str, Any]:
    return {"context": CONTEXT, "qas": list(qas)} | changes


def document(*paragraphs: Any, **changes: Any) -> dict[str, Any]:
    return {"version": "1.1", "data": [{"title": "范廷颂", "paragraphs": list(paragraphs)} | changes]}


def read_file(path: Path, split: str = "train") -> list[Row | BadRow]:
    with opened(path.name, path) as file:
        return list(read_questions(file, split, set()))


def read(folder: Path, whole: Any, split: str = "train") -> list[Row | BadRow]:
    path = folder / "raw.json"
    path.write_bytes(whole if isinstance(whole, bytes) else json.dumps(whole, ensure_ascii=False).encode())
    return read_file(path, split)


def good(found: list[Row | BadRow]) -> list[Row]:
    assert all(isinstance(row, Row) for row in found), found
    return [row for row in found if isinstance(row, Row)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<html>", "HTML"),
        (b"\xfe\xff\x00{", "UTF-16"),
        (json.dumps(document(paragraph(qa()))).encode()[:-9], "cut off"),
        (json.dumps(document(paragraph(qa()))).encode() + b"]", "more after the end"),
        (b'{"version": "1.1", "items": []}', "the top level has no key data; it has items, version"),
        (b'{"data": {"a": 1}}', "data is expected to be a list"),
        (b'{"version": 1, "data": [1 2]}', "not valid JSON"),
    ],
)
def test_a_file_that_is_no_whole_document_is_an_error(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        read(tmp_path, data)


WAY = "paragraphs[0].qas[0]"


@pytest.mark.parametrize(
    ("question", "reason", "field"),
    [
        ("text", "not_an_object", WAY),
        ({"question": "?", "answers": [YEAR]}, "missing_field", f"{WAY}.id"),
        ({"id": "Q1", "answers": [YEAR]}, "missing_field", f"{WAY}.question"),
        (qa(id=7), "not_text", f"{WAY}.id"),
        (qa(question=["?"]), "not_text", f"{WAY}.question"),
        (qa(answers=None), "no_answer", f"{WAY}.answers"),
        (qa(answers=[]), "no_answer", f"{WAY}.answers"),
        (qa(answers="1963年"), "not_a_list", f"{WAY}.answers"),
        (qa(answers={"text": ["1963年"], "answer_start": []}), "unequal_lists", f"{WAY}.answers"),
        (qa(1, {"answer_start": 6}), "not_text", f"{WAY}.answers[0]"),
        (qa(1, YEAR, {"text": " ", "answer_start": 6}), "empty_answer", f"{WAY}.answers[1]"),
        (qa(1, YEAR | {"answer_start": "6"}), "not_a_number", f"{WAY}.answers[0]"),
        (qa(1, YEAR | {"answer_start": True}), "not_a_number", f"{WAY}.answers[0]"),
        (qa(1, YEAR | {"text": "1964年"}), "answer_not_in_context", f"{WAY}.answers[0]"),
        (qa(1, YEAR, "1964年"), "answer_not_in_context", f"{WAY}.answers[1]"),
        (qa(is_impossible=True), "impossible_or_not", f"{WAY}.is_impossible"),
        (qa(is_impossible="no"), "impossible_or_not", f"{WAY}.is_impossible"),
    ],
)
def test_a_question_that_cannot_be_used_is_set_aside_with_its_place(
    tmp_path: Path, question: Any, reason: str, field: str
) -> None:
    bad, row = read(tmp_path, document(paragraph(question, qa(2))))
    assert isinstance(bad, BadRow)
    assert isinstance(row, Row)
    assert (bad.reason, bad.field) == (reason, field)
    assert reason == "empty_answer" or reason in REMEDIES


@pytest.mark.parametrize(
    ("whole", "faults"),
    [
        (document(paragraph(qa(1), qa(2), context=None)), [("missing_field", "paragraphs[0].qas[0].context"),
                                                           ("missing_field", "paragraphs[0].qas[1].context")]),
        (document(paragraph(qa(), context=3)), [("not_text", "paragraphs[0].qas[0].context")]),
        (document(paragraph(qa()), title=3), [("not_text", "paragraphs[0].qas[0].title")]),
        (document(paragraph()), [("no_questions", "paragraphs[0].qas")]),
        (document({"context": CONTEXT}), [("missing_field", "paragraphs[0].qas")]),
        (document("text"), [("not_an_object", "paragraphs[0]")]),
        (document(paragraphs={}), [("not_a_list", "paragraphs")]),
        ({"data": ["text"]}, [("not_an_object", "the row")]),
    ],
)  # fmt: skip
def test_a_passage_that_cannot_be_used_costs_its_questions_and_no_others(
    tmp_path: Path, whole: Any, faults: list[tuple[str, str]]
) -> None:
    assert [(row.reason, row.field) for row in read(tmp_path, whole) if isinstance(row, BadRow)] == faults


def test_an_id_is_taken_once(tmp_path: Path) -> None:
    found = read(tmp_path, document(paragraph(qa(1), qa(1, "1990年")), paragraph(qa(2))))
    assert [getattr(row, "reason", "good") for row in found] == ["good", "duplicate_id", "good"]


def test_bytes_that_are_not_utf8_cost_their_row(tmp_path: Path) -> None:
    data = json.dumps(document(paragraph(qa(1), qa(2))), ensure_ascii=False).encode()
    bad, row = read(tmp_path, data.replace("何时".encode(), b"\xff", 1))
    assert isinstance(bad, BadRow)
    assert isinstance(row, Row)
    assert (bad.reason, bad.field) == ("bad_utf8", "paragraphs[0].qas[0].question")


def test_a_document_becomes_rows_with_all_distinct_answers(tmp_path: Path) -> None:
    (row,) = good(read(tmp_path, document(paragraph(qa(1, YEAR, {"text": "1963", "answer_start": 6}, YEAR)))))
    assert (row.key, row.file, row.line) == ("Q1", "raw.json", 1)
    assert row.fields == {
        "id": "Q1", "title": "范廷颂", "context": CONTEXT, "question": "何时任主教？",
        "answer": "1963年", "answers": ["1963年", "1963"], "answer_start": 6, "moved_answers": 0,
    }  # fmt: skip


@pytest.mark.parametrize(("start", "at"), [(7, 6), (0, 6), (-3, 6), (10**30, 39), (30, 39), (38, 39)])
def test_an_answer_that_starts_elsewhere_is_found_at_the_nearest_place_and_counted(
    tmp_path: Path, start: int, at: int
) -> None:
    twice = CONTEXT + "1963年。"
    assert twice.index("1963年", 7) == 39
    question = qa(1, YEAR | {"answer_start": start})
    (row,) = good(read(tmp_path, document(paragraph(question, context=twice))))
    assert (row.fields["answer_start"], row.fields["moved_answers"]) == (at, 1)


def test_an_unanswerable_question_has_no_answer(tmp_path: Path) -> None:
    question = qa(1, answers=[], is_impossible=True, plausible_answers=[YEAR])
    (row,) = good(read(tmp_path, document(paragraph(question))))
    assert (row.fields["answer"], row.fields["answers"], row.fields["answer_start"]) == (None, [], None)


@pytest.mark.parametrize("answers", [None, [], [{"text": "", "answer_start": -1}]])
def test_a_test_split_may_keep_its_answers_to_itself(tmp_path: Path, answers: Any) -> None:
    (row,) = good(read(tmp_path, document(paragraph(qa(answers=answers))), "test"))
    assert row.fields["answers"] == []


def test_the_title_may_come_with_the_paragraph_or_not_at_all(tmp_path: Path) -> None:
    whole = {"data": [{"paragraphs": [paragraph(qa(1), title="甲"), paragraph(qa(2))]}]}
    assert [row.fields["title"] for row in good(read(tmp_path, whole))] == ["甲", ""]


def test_the_passages_of_cmrc_2018_are_read(tmp_path: Path) -> None:
    question = {"query_id": "TRAIN_186_QUERY_0", "query_text": "何时任主教？", "answers": ["1963年", "1963"]}
    whole = [{"context_id": "TRAIN_186", "context_text": CONTEXT, "title": "范廷颂", "qas": [question]}]
    (row,) = good(read(tmp_path, whole))
    assert row.key == "TRAIN_186_QUERY_0"
    assert row.fields["answers"] == ["1963年", "1963"]
    assert (row.fields["context"], row.fields["title"], row.fields["moved_answers"]) == (CONTEXT, "范廷颂", 0)


@pytest.mark.parametrize("form", ["list", "lines", "parquet"])
def test_flat_records_are_read_and_empty_lists_say_that_there_is_no_answer(tmp_path: Path, form: str) -> None:
    shared = {"title": "范廷颂", "context": CONTEXT, "question": "何时？"}
    records = [
        {"id": "a", **shared, "answers": {"text": ["1963年"], "answer_start": [6]}},
        {"id": "b", **shared, "answers": {"text": [], "answer_start": []}},
    ]
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(records), tmp_path / "raw.parquet")
        found = read_file(tmp_path / "raw.parquet")
    else:
        lines = "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
        found = read(tmp_path, lines.encode() if form == "lines" else records)
    assert [(row.key, row.fields["answer"], row.fields["answer_start"]) for row in good(found)] == [
        ("a", "1963年", 6),
        ("b", None, None),
    ]


def test_a_byte_order_mark_and_any_order_of_keys_do_no_harm(tmp_path: Path) -> None:
    data = {"data": document(paragraph(qa()))["data"], "id": "x"}
    assert len(good(read(tmp_path, b"\xef\xbb\xbf" + json.dumps(data).encode()))) == 1
