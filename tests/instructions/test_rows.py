from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_pipeline.instructions.errors import InstructionsError
from rc_pipeline.instructions.evidence import comparable, first_words
from rc_pipeline.instructions.rows import FORMAT_COLUMNS, PASSAGE_COLUMN, read_rows, read_split
from rc_pipeline.lake.frames import write_parquet


def trivia_rows(tables: Path, split: str, words: int = 400) -> dict[str, dict[str, object]]:
    frame = read_rows(fmt="trivia_qa", tables=tables, split=split, passage_words=words)
    return {row["id"]: row for row in frame.iter_rows(named=True)}


def test_an_unknown_format_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InstructionsError, match="format: 'squad': unknown; choose one of cosmos_qa, trivia_qa, alpaca"):
        read_rows(fmt="squad", tables=tmp_path, split="train", passage_words=1)


def test_a_page_whose_evidence_was_lost_stops_the_build(trivia: Path) -> None:
    path = trivia / "evidence" / "wikipedia.parquet"
    write_parquet(pl.read_parquet(path).filter(pl.col("evidence_id") != "w2"), path)
    with pytest.raises(InstructionsError, match=r"evidence_id: w2: .* build the tables again"):
        trivia_rows(trivia, "wikipedia-dev")


def test_rows_left_out_carry_their_reason(trivia: Path) -> None:
    def dropped(split: str, training: bool) -> dict[str, str]:
        rows = read_split(fmt="trivia_qa", tables=trivia, split=split, passage_words=9, training=training)
        return {row_id.rsplit("/", 1)[1]: reason for row_id, reason in rows.dropped.iter_rows()}

    assert dropped("wikipedia-train", True) == {"q2": "no_alias_in_evidence", "q3": "no_evidence", "q4": "no_evidence"}
    assert dropped("wikipedia-dev", False) == {"q3": "no_evidence", "q4": "no_evidence"}


def test_cosmos_rows_have_their_columns_and_the_gold_answer(cosmos: Path) -> None:
    rows = read_rows(fmt="cosmos_qa", tables=cosmos, split="valid", passage_words=400)
    assert rows.columns == ["row_id", "group", *FORMAT_COLUMNS["cosmos_qa"], "gold_answers"]
    assert rows["gold_answers"].to_list()[:2] == [["thing 0 of 0"], ["thing 1 of 1"]]
    groups = rows["group"].to_list()
    assert groups[1] == groups[2] != groups[0]
    test = read_rows(fmt="cosmos_qa", tables=cosmos, split="test", passage_words=400)
    assert test["gold_answers"].to_list() == [[]] * 5
    assert test["label"].to_list() == [None] * 5


def test_trivia_passages_join_pages_in_order_and_only_those_with_the_answer_for_training(trivia: Path) -> None:
    dev, train = trivia_rows(trivia, "wikipedia-dev"), trivia_rows(trivia, "wikipedia-train")
    lisbon = "Lisbon is a city on the Tagus.\n\nIt is the capital of Portugal, and old."
    assert dev["q0"]["passage"] == f"A page about cooking with no answer at all.\n\n{lisbon}"
    assert train["q0"]["passage"] == lisbon
    assert train["q1"]["passage"] == dev["q1"]["passage"].removesuffix(f"\n\n{lisbon}")  # type: ignore[union-attr]
    assert trivia_rows(trivia, "wikipedia-dev", 5)["q1"]["passage"] == "The U.S. President Abraham Lincoln"
    assert train["q0"]["group"] != dev["q0"]["group"] == trivia_rows(trivia, "wikipedia-test")["q0"]["group"]


def test_trivia_answers_are_what_the_scorer_accepts(trivia: Path) -> None:
    row = trivia_rows(trivia, "wikipedia-dev")["q0"]
    assert row["gold_answers"] == ["lisbon", "lisboa", "Olisipo"]
    assert row["aliases"] == ["Lisbon", "Lisboa"]
    unknown = trivia_rows(trivia, "wikipedia-test")["q0"]
    assert (unknown["answer"], unknown["aliases"], unknown["gold_answers"]) == (None, [], [])


def test_passages_that_were_cut_are_counted(trivia: Path) -> None:
    figures = [
        read_split(fmt="trivia_qa", tables=trivia, split="wikipedia-train", passage_words=words, training=True).figures
        for words in (4, 400)
    ]
    assert figures[0] == {"passages_cut": 2, "pages_without_the_answer": 3, "answers_beyond_the_cut": 1}
    assert figures[1] == {"passages_cut": 0, "pages_without_the_answer": 3, "answers_beyond_the_cut": 0}


def test_alpaca_rows_read_a_missing_input_as_empty(tmp_path: Path) -> None:
    rows = [
        {"row_id": "a/train/0", "instruction": "Say 0.", "input": None, "output": "0"},
        {"row_id": "a/train/1", "instruction": "Say it.", "input": "x", "output": "x"},
    ]
    write_parquet(pl.DataFrame(rows), tmp_path / "train.parquet")
    frame = read_rows(fmt="alpaca", tables=tmp_path, split="train", passage_words=1)
    assert frame["input"].to_list() == ["", "x"]
    assert frame["gold_answers"].to_list() == [["0"], ["x"]]


def test_what_no_template_can_show_is_counted(tmp_path: Path) -> None:
    row = {"row_id": "a/train/0", "instruction": "Go on.", "input": "", "output": "x", "system": "Be brief."}
    write_parquet(pl.DataFrame([{**row, "history": [["a", "b"]]}]), tmp_path / "train.parquet")
    rows = read_split(fmt="alpaca", tables=tmp_path, split="train", passage_words=1, training=True)
    assert rows.figures == {"system_not_shown": 1, "history_not_shown": 1}


@pytest.mark.parametrize(
    ("text", "compared"),
    [("The U.S. President", "u s president"), ("Rock‘n’roll_band!", "rock n roll band"), ("a  An the", ""), ("É", "é")],
)
def test_text_is_compared_as_the_official_scorer_does(text: str, compared: str) -> None:
    assert pl.select(comparable(pl.lit(text))).item() == compared


@given(st.text(max_size=200), st.integers(0, 12))
def test_first_words_are_a_prefix_that_ends_at_a_word(text: str, words: int) -> None:
    head = first_words(text, words)
    assert text.strip().startswith(head)
    assert head.split() == text.split()[:words]


def test_the_catalog_offers_templates_the_same_columns() -> None:
    catalog = pytest.importorskip("rc_pipeline.catalog.datasets")
    assert {name: tuple(columns) for name, columns in catalog.FORMAT_COLUMNS.items()} == dict(FORMAT_COLUMNS)
    assert dict(catalog.PASSAGE_COLUMN) == dict(PASSAGE_COLUMN)
