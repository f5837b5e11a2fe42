from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_pipeline.prediction.letters import EMPTY, NONE, SEVERAL, choice_in, labels_of

LETTERED = ["A. the red box", "B. the blue box", "C. Rome", "D. None of the above choices ."]
BARE = ["A", "B", "C", "D"]


@pytest.mark.parametrize(
    ("choices", "labels"),
    [
        (LETTERED, ["A", "B", "C", "D"]),
        (BARE, BARE),
        (["(a) red", "(b) blue"], ["a", "b"]),
        (["1. red", "2. blue"], ["1", "2"]),
        (["甲、红的", "乙、蓝的"], ["甲", "乙"]),
        (["Ａ．红的", "Ｂ．蓝的"], ["A", "B"]),
        (["Rome", "Oslo"], []),
        (["A man", "B. a dog"], []),
        (["A. one", "a. other"], []),
        (["10. ten", "1. one"], []),
    ],
)
def test_labels_are_what_all_options_begin_with(choices: list[str], labels: list[str]) -> None:
    assert labels_of(choices) == labels


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", EMPTY),
        (" \n\t", EMPTY),
        ("\x00\x07\x1b[2J", NONE),
        ("E", NONE),
        ("The answer is E.", NONE),
        ("А", NONE),  # Cyrillic
        ("Α.", NONE),  # Greek
        ("A man walks into a bar", NONE),
        ("I do not know", NONE),
        ("vitamin A", NONE),
        ("ABCD", NONE),
        ("A or B", SEVERAL),
        ("答案是 A 和 B", SEVERAL),
        ("A. B. C. D.", SEVERAL),
        ("A. the blue box", SEVERAL),
        ("A. the red box\nB. the blue box", SEVERAL),
        ("the red box, or the blue box", SEVERAL),
        ("so " * 5000, NONE),
    ],
)
def test_what_names_no_option_or_several_is_no_choice(text: str, why: str) -> None:
    assert choice_in(text, LETTERED) == (None, why)


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("B", 1),
        ("b.", 1),
        ("(C)", 2),
        ("**C**", 2),
        ("Ｂ．", 1),
        ("The answer is C.", 2),
        ("The answer is (b) because of the rain", 1),
        ("B because it rains", 1),
        ("选B", 1),
        ("答案：C", 2),
        ("应选B项", 1),
        ("A. the red box", 0),
        ("I think that it is the red box.", 0),
        ("None of the above choices", 3),
        ("D. None of the above choices .", 3),
        ("ROME", 2),
    ],
)
def test_an_option_is_named_by_its_label_or_its_words(text: str, choice: int) -> None:
    assert choice_in(text, LETTERED) == (choice, None)


def test_bare_letters_and_numbers_are_options() -> None:
    assert choice_in("C", BARE) == (2, None)
    assert choice_in("C. Rome", BARE) == (2, None)
    assert choice_in("2", ["1", "2", "3"]) == (1, None)
    assert choice_in("There are 3 people.", ["1", "2", "4"]) == (None, NONE)


def test_an_option_that_is_part_of_another_one_gives_way_to_it() -> None:
    assert choice_in("It was the red box.", ["box", "red box"]) == (1, None)
    assert choice_in("box", ["box", "red box"]) == (0, None)


def test_options_that_read_the_same_cannot_be_told_apart() -> None:
    assert choice_in("Rome", ["Rome", "Rome", "Oslo"]) == (None, SEVERAL)


@given(st.text(), st.lists(st.text(), min_size=1, max_size=5))
def test_any_text_whatever_is_a_choice_or_has_a_reason(text: str, choices: list[str]) -> None:
    choice, why = choice_in(text, choices)
    assert (choice is None) == (why in {EMPTY, NONE, SEVERAL})
    assert choice is None or 0 <= choice < len(choices)
