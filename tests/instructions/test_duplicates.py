from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rc_pipeline.instructions.duplicates import DUPLICATE, NEAR_DUPLICATE, find_duplicates
from tests.overlaps.made_up import chinese, sentence


def frame(asked: Sequence[str], orders: Sequence[int] | None = None, **texts: Sequence[str]) -> pl.DataFrame:
    """Return rows r0, r1, ... in that order, or in the given one."""
    ids = [f"r{number}" for number in range(len(asked))]
    order = pl.Series("order", orders or range(len(asked)), dtype=pl.UInt64)
    return pl.DataFrame(
        {"row_id": ids, "asked": list(asked), **{name: list(text) for name, text in texts.items()}}
    ).with_columns(order)


def found(rows: pl.DataFrame, *, near: bool = True) -> dict[str, tuple[str, str]]:
    return {row: (kind, kept) for row, (kind, kept, _) in find_duplicates([rows], near=near).items()}


def test_nothing_repeats_nothing() -> None:
    assert find_duplicates([], near=True) == {}
    assert found(frame([])) == {}
    assert found(frame(["", " ", "...", "\n"])) == {}


def test_two_questions_about_one_passage_are_two_rows() -> None:
    passage = [sentence(1, 400)] * 2
    assert not found(frame(["Who was it?", "When was it?"], passage=passage))
    assert found(frame(["Who was it?", "who was it"], passage=passage)) == {"r1": (DUPLICATE, "r0")}


def test_two_answers_to_one_question_are_two_rows() -> None:
    asked = [sentence(1, 100)] * 2
    assert not found(frame(asked, answer=["yes", "no"]))
    assert not found(frame(asked, answer=["yes", ""]))


def test_one_question_about_two_passages_is_two_rows() -> None:
    assert not found(frame(["What happened next?"] * 2, passage=[sentence(1), sentence(2)]))


def test_the_same_text_in_another_part_is_another_row() -> None:
    assert not found(frame(["hello there", ""], answer=["", "hello there"]))


def test_the_first_in_order_is_kept_wherever_it_stands() -> None:
    rows = frame(["Why?", "why", "WHY!", "Who?"], orders=[5, 3, 9, 1])
    assert found(rows) == {"r0": (DUPLICATE, "r1"), "r2": (DUPLICATE, "r1")}


def test_near_copies_are_found_only_when_asked_for() -> None:
    changed = sentence(1, 200).split()
    changed[100] = "changed"
    rows = frame([sentence(1, 200), " ".join(changed), sentence(2, 200), sentence(1, 200).upper()], orders=[4, 2, 3, 8])
    assert found(rows, near=False) == {"r3": (DUPLICATE, "r0")}
    assert found(rows) == {"r3": (DUPLICATE, "r0"), "r0": (NEAR_DUPLICATE, "r1")}
    assert find_duplicates([rows], near=True)["r0"].similarity == pytest.approx(195 / 201, abs=0.1)


def test_near_copies_in_chinese_are_found() -> None:
    text = chinese(1, 300)
    assert found(frame([text, f"{text[:150]}们{text[150:]}", chinese(2, 300)])) == {"r1": (NEAR_DUPLICATE, "r0")}


def test_short_rows_that_differ_in_one_word_are_two() -> None:
    assert not found(frame([f"In which country on the great river is the city of Name{n}?" for n in range(100)]))


def test_a_row_like_a_dropped_one_alone_is_kept() -> None:
    first, far = sentence(1, 120).split(), sentence(2, 120).split()
    chain = [" ".join(far[: 9 * n] + first[9 * n :]) for n in range(3)]
    assert found(frame(chain)) == {"r1": (NEAR_DUPLICATE, "r0")}


def test_of_a_crowd_one_row_is_kept() -> None:
    texts = [f"{sentence(1, 200)} {n}" for n in range(60)]
    assert found(frame(texts, orders=[*range(60, 0, -1)])) == {f"r{n}": (NEAR_DUPLICATE, "r59") for n in range(59)}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["Why?", "why", "Who", "谁？", "谁", ""]), max_size=12), st.integers(1, 5))
def test_batches_change_nothing(asked: list[str], size: int) -> None:
    rows = frame(asked, orders=[n * 7 % 12 for n in range(len(asked))])
    assert find_duplicates(rows.iter_slices(size), near=True) == find_duplicates([rows], near=False)
