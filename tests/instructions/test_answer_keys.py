from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.lake.outcome import Outcome
from tests.instructions.test_build import TRIVIA, build, read

# Pages of a question: file name as the question file has it, document that was found for it, part of the verified set.
PAGES: dict[str, list[tuple[str, str | None, bool]]] = {
    "q0": [("Lisbon.txt", "wikipedia/Lisbon.txt", True), ("7/LISBON.txt", "web/7/lisbon.txt", False)],
    "q1": [("lost.txt", None, True), ("lost.txt", None, False), ("kept.txt", "wikipedia/kept.txt", True)],
    "q2": [("gone.txt", None, False)],
}
COLUMNS = ("id", "question", "passage", "answer", "aliases")


def tables_of(folder: Path, split: str) -> Path:
    """Write the questions of a split, with the pages above."""
    tables = folder / "tables"
    row_ids = {key: f"t/{split}/{key}" for key in PAGES}
    questions = [
        {"row_id": row_id, "id": key, "question": f"Which, {key}?", "answer": "x", "verified": key != "q1"}
        for key, row_id in row_ids.items()
    ]
    answers = [{"row_id": row_id, "alias": "x", "normalised": True, "human": False} for row_id in row_ids.values()]
    pages = [
        {"row_id": row_ids[key], "position": position, "filename": name, "evidence_id": document, "verified": verified}
        for key, cited in PAGES.items()
        for position, (name, document, verified) in enumerate(cited)
    ]
    for part, rows in (("questions", questions), ("answers", answers), ("pages", pages[::-1])):
        write_parquet(pl.DataFrame(rows), tables / part / f"{split}.parquet")
    return tables


def passages_of(folder: Path, split: str, given: list[dict[str, Any]], dropped: list[tuple[str, str]]) -> Path:
    """Write the passages that were chosen, and the rows for which none was."""
    write_parquet(pl.DataFrame(given), folder / f"{split}.parquet")
    rows = [(f"t/{split}/{key}", split, reason) for key, reason in dropped]
    schema = {"row_id": pl.String, "split": pl.String, "reason": pl.String}
    write_parquet(pl.DataFrame(rows, schema=schema, orient="row"), folder / "dropped.parquet")
    return folder


def chosen(split: str, key: str, passage: str = "Said.", **document: str) -> dict[str, Any]:
    return {"row_id": f"t/{split}/{key}", "group": key, "passage": passage} | document


def built(tables: Path, out: Path, split: str, passages: Path, documents: Path | None = None) -> Outcome:
    return build(
        tables, out, TRIVIA, dataset="t", fmt="trivia_qa", splits=[split], train_splits=[], passages=passages,
        documents=documents, asked_as={split: ["by_document"]} if documents else {}, columns=COLUMNS,
        passage_column="passage",
    )  # fmt: skip


def keys(out: Path, name: str) -> list[tuple[str, str | None, list[str], int]]:
    """Return (id, document, keys, words of the passage) of each row."""
    rows = read(out, name).to_dicts()
    return [(row["row_id"].split("/")[-1], row["document"], row["answer_keys"], row["passage_words"]) for row in rows]


WEB = {key: [f"{key}--{name}" for name in dict.fromkeys(name for name, _, _ in pages)] for key, pages in PAGES.items()}


def test_every_official_key_of_the_web_is_asked_for_whether_its_document_is_there_or_not(tmp_path: Path) -> None:
    tables = tables_of(tmp_path, "web-dev")
    given = [chosen("web-dev", "q0"), chosen("web-dev", "q1")]
    passages = passages_of(tmp_path / "whole", "web-dev", given, [("q2", "no_evidence")])
    outcome = built(tables, tmp_path / "out", "web-dev", passages)
    assert all(check.passed for check in outcome.checks)
    assert outcome.metadata["dropped"] == 0
    assert keys(tmp_path / "out", "web-dev") == [
        ("q0", None, WEB["q0"], 1), ("q1", None, WEB["q1"], 1), ("q2", None, WEB["q2"], 0),
    ]  # fmt: skip


def test_document_by_document_each_page_has_its_key_and_the_rest_one_row_without_a_passage(tmp_path: Path) -> None:
    tables = tables_of(tmp_path, "web-dev")
    whole = passages_of(tmp_path / "whole", "web-dev", [chosen("web-dev", "q0")], [])
    each = [
        chosen("web-dev", "q0", document="wikipedia/Lisbon.txt"),
        chosen("web-dev", "q0", "Said twice.", document="web/7/lisbon.txt"),
        chosen("web-dev", "q1", document="wikipedia/kept.txt"),
    ]
    documents = passages_of(tmp_path / "each", "web-dev", each, [("q2", "no_evidence")])
    outcome = built(tables, tmp_path / "out", "web-dev", whole, documents)
    assert all(check.passed for check in outcome.checks)
    assert keys(tmp_path / "out", "web-dev.by_document") == [
        ("q0", "wikipedia/Lisbon.txt", ["q0--Lisbon.txt"], 1),
        ("q0", "web/7/lisbon.txt", ["q0--7/LISBON.txt"], 2),
        ("q1", "wikipedia/kept.txt", ["q1--kept.txt"], 1),
        ("q1", None, ["q1--lost.txt"], 0),
        ("q2", None, ["q2--gone.txt"], 0),
    ]
    rows = read(tmp_path / "out", "web-dev.by_document")
    assert rows["instruction_id"].to_list()[:1] == ["t/web-dev/q0:ask:wikipedia/Lisbon.txt"]
    assert rows["instruction_id"].to_list()[3:] == ["t/web-dev/q1:ask:by_document", "t/web-dev/q2:ask:by_document"]
    assert sorted(rows["answer_keys"].explode()) == sorted(key for keys in WEB.values() for key in keys)
    # A limit takes whole questions: their rows share an order.
    assert rows.group_by("row_id").agg(pl.col("order").n_unique())["order"].to_list() == [1, 1, 1]


@pytest.mark.parametrize("split", ["wikipedia-dev", "wikipedia-test"])
def test_of_wikipedia_every_document_answers_for_the_question(tmp_path: Path, split: str) -> None:
    tables = tables_of(tmp_path, split)
    whole = passages_of(tmp_path / "whole", split, [chosen(split, "q0"), chosen(split, "q1")], [("q2", "no_evidence")])
    each = [chosen(split, "q0", document=document) for document in ("wikipedia/a", "wikipedia/b")]
    dropped = [("q1", "no_evidence"), ("q2", "no_evidence")]
    documents = passages_of(tmp_path / "each", split, [*each, chosen(split, "q1", document="wikipedia/c")], dropped)
    built(tables, tmp_path / "out", split, whole, documents)
    assert keys(tmp_path / "out", split) == [("q0", None, ["q0"], 1), ("q1", None, ["q1"], 1), ("q2", None, ["q2"], 0)]
    assert keys(tmp_path / "out", f"{split}.by_document") == [
        ("q0", "wikipedia/a", ["q0"], 1), ("q0", "wikipedia/b", ["q0"], 1), ("q1", "wikipedia/c", ["q1"], 1),
        ("q2", None, ["q2"], 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("verified-wikipedia-dev", [("q0", None, ["q0"], 1), ("q2", None, ["q2"], 0)]),
        # The one page of q2 was not checked, so no official key asks for it.
        ("verified-web-dev", [("q0", None, ["q0--Lisbon.txt"], 1)]),
    ],
)
def test_what_was_not_verified_has_no_key_and_is_counted(
    tmp_path: Path, split: str, expected: list[tuple[str, None, list[str], int]]
) -> None:
    tables = tables_of(tmp_path, split)
    dropped = [("q1", "not_verified"), ("q2", "no_evidence")]
    outcome = built(
        tables, tmp_path / "out", split, passages_of(tmp_path / "whole", split, [chosen(split, "q0")], dropped)
    )
    assert keys(tmp_path / "out", split) == expected
    assert outcome.metadata["dropped"] == 3 - len(expected)


def test_rows_of_other_formats_have_their_question_and_no_keys(cosmos: Path, tmp_path: Path) -> None:
    build(cosmos, tmp_path / "out")
    row = read(tmp_path / "out", "valid").row(0, named=True)
    assert (row["question"], row["passage_words"]) == ("What did she buy on day 0 ?", 16)
    assert (row["document"], row["answer_keys"]) == (None, None)


def test_words_of_chinese_are_its_characters(tmp_path: Path) -> None:
    rows = {"row_id": ["z/valid/0"], "group": ["g"], "passage": ["张衡在132年发明了地动仪。"], "answer": ["张衡"]}
    write_parquet(pl.DataFrame(rows | {"gold_answers": [["张衡"]], "document": ["档案"]}), tmp_path / "z/valid.parquet")
    template = {"ask": {"instruction": "谁？", "input": "{{ passage }}{{ document }}", "output": "{{ answer }}"}}
    build(
        tmp_path / "z", tmp_path / "out", template, fmt="records", columns=("passage", "answer", "document"),
        passage_column="passage", splits=["valid"], train_splits=[],
    )  # fmt: skip
    (row,) = read(tmp_path / "out", "valid").to_dicts()
    assert (row["passage_words"], row["question"], row["document"]) == (11, None, None)
    assert row["instruction_id"] == "z/valid/0:ask"
