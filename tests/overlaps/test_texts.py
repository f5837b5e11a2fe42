from __future__ import annotations

from typing import get_args

import polars as pl
import pytest

from rc_pipeline.catalog.formats import FACTS, Format
from rc_pipeline.overlaps.texts import content_of


@pytest.mark.parametrize("fmt", [fmt for fmt in get_args(Format) if fmt != "records"])
def test_the_columns_of_every_format_are_those_of_its_rows(fmt: str) -> None:
    content = content_of(fmt, FACTS[fmt].columns)
    assert set(content.columns) <= set(FACTS[fmt].columns)
    assert content.passage in ("", FACTS[fmt].passage)
    assert content.asked


def test_what_was_said_before_is_part_of_what_is_asked() -> None:
    rows = pl.DataFrame(
        {
            "instruction": ["Go on.", "Go on."],
            "input": ["", "please"],
            "history": [[], [["Hi", "Hello"], ["Who?", "I."]]],
        },
        schema_overrides={"history": pl.List(pl.List(pl.String))},
    )
    ((part, texts),) = content_of("alpaca", FACTS["alpaca"].columns).texts(rows)
    assert (part, texts.to_list()) == ("question", ["Go on.", "Hi ␞ Hello ␞ Who? ␞ I. ␞ Go on. ␞ please"])


def test_missing_options_are_no_text() -> None:
    rows = pl.DataFrame({"input": ["Which?", "Who?"], "options": [["a", "b"], None]})
    ((_, texts),) = content_of("bigbench", FACTS["bigbench"].columns).texts(rows)
    assert texts.to_list() == ["Which? ␞ a ␞ b", "Who?"]


def test_a_users_own_columns_count_without_ids_labels_and_passage_free_answers() -> None:
    assert content_of("records", ["id", "topic", "question", "answer", "label"]).asked == (("topic", "question"),)
    with_passage = content_of("records", ["passage", "question", "answer"])
    assert (with_passage.passage, with_passage.asked) == ("passage", (("question", "answer"),))
    assert content_of("records", ["id"]).asked == ((),)


def test_what_rows_teach_has_a_column_for_each_part() -> None:
    rows = pl.DataFrame({"source": ["a"], "target": ["b"], "gold_answers": [["b", "c"]]})
    said = content_of("parallel", FACTS["parallel"].columns).said(rows)
    assert said.to_dicts() == [{"question 0": "a", "question 1": "b", "answer": "b ␞ c"}]
