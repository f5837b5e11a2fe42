from __future__ import annotations

import polars as pl
import pytest

from rc_pipeline.scoring.slices import has_none_option, question_word, slices


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("What may happen when he leaves ?", "what"),
        ("In WHICH decade was it?", "which"),
        ("Whose book is this?", "who"),
        ("Name the whatnot.", "other"),
        ("", "other"),
        (None, None),
        ("他为什么没来？", "why"),
        ("他什么时候来？", "when"),
        ("这是什么？", "what"),
        ("哪里有水？", "where"),
        ("哪个城市最大？", "which"),
        ("怎么走？", "how"),
        ("是谁写的？", "who"),
        ("有多少人？", "how"),
    ],
)
def test_the_first_question_word_counts(question: str | None, word: str | None) -> None:
    asked = pl.DataFrame({"question": [question]}, schema={"question": pl.String})
    assert asked.select(question_word()).item() == word


def test_a_none_of_the_above_is_found_among_the_choices() -> None:
    choices = [["A. red", "D. None of the above choices ."], ["以上都不对", "对"], ["red", "none"], []]
    asked = pl.DataFrame({"choices": choices}, schema={"choices": pl.List(pl.String)})
    assert asked.select(has_none_option()).to_series().to_list() == [True, True, False, None]


def test_subjects_are_slices_and_a_set_that_is_all_one_has_none() -> None:
    asked = pl.DataFrame(
        {"row_id": ["m/test/birds/0", "m/test/seas/0", "m/test/seas/1"], "question_word": ["what"] * 3,
         "has_none_option": [None, True, False]}
    )  # fmt: skip
    assert [(name, len(part)) for name, part in slices(asked)] == [
        ("has_none_option=false", 1), ("has_none_option=true", 1), ("part=birds", 1), ("part=seas", 2)
    ]  # fmt: skip
