"""TriviaQA's comparison rules, against a restatement of them that shares no code with ours."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rc_pipeline.scoring.matching import match
from rc_pipeline.scoring.trivia import RULES, judge, normalise
from tests.scoring.restated import best, tokens

WORDS = st.sampled_from(
    ["the", "a", "an", "A.", "The", "Blvd", "U.S.", "sunset", "42", "日落", "it's", "_", "’", "‘a’", "Å", "\n", "\0",
     "\x1c", "\x85", "İ", "ß", "ΟΔΟΣ", "a\u0301", "the\u200b", "ﬁ", "an_the", "\u3000", "ａ", "Σ", "\U0001f600"]
)  # fmt: skip
ANSWERS = st.one_of(
    st.text(max_size=30),
    st.lists(WORDS, max_size=6).map(" ".join),
    st.lists(WORDS, max_size=6).map("".join),
    st.lists(st.sampled_from("ab the"), max_size=12).map("".join),
)


def matches(said: list[str | None], golds: list[list[str]]) -> list[tuple[bool, float]]:
    exact, f1 = judge(pl.Series(said, dtype=pl.String), pl.Series(golds, dtype=pl.List(pl.String)))
    return list(zip(exact, f1, strict=True))


def test_no_answer_is_no_match_even_of_a_gold_answer_that_has_no_words() -> None:
    assert matches([None], [["The", "?", ""]]) == [(False, 0.0)]


def test_an_empty_alias_list_is_no_match_and_no_crash() -> None:
    assert matches(["anything", "", None], [[], [], []]) == [(False, 0.0)] * 3


def test_a_text_of_every_character_that_could_part_texts_is_compared_all_the_same() -> None:
    every = "".join(map(chr, range(0xE000, 0xF900))) + "".join(map(chr, range(0x20)))
    assert matches([every, "The kite"], [[every], ["kite", every]]) == [(True, 1.0), (True, 1.0)]


def test_no_questions_are_no_crash() -> None:
    assert matches([], []) == []


@pytest.mark.parametrize(
    ("said", "normal"),
    [
        ("Sunset Blvd.", "sunset blvd"),
        ("U.S.", "u s"),
        ("rock_and_roll", "rock and roll"),
        ("‘The’ Beatles´ `song`", "beatles song"),
        ("an  A-Team\tof the day", "team of day"),
        ("Theory", "theory"),
        ("落日大道", "落日大道"),
    ],
)
def test_punctuation_and_quotes_become_spaces_and_articles_go(said: str, normal: str) -> None:
    assert normalise(said) == normal


def test_deleting_punctuation_as_squad_does_would_be_another_answer() -> None:
    assert matches(["US", "u s"], [["U.S."], ["U.S."]]) == [(False, 0.0), (True, 1.0)]


def test_both_scores_are_the_best_over_the_aliases() -> None:
    assert matches(["West Sunset Boulevard"], [["sunset boulevard", "blvd"]]) == [(False, pytest.approx(0.8))]


def test_words_that_are_all_articles_match_exactly_and_share_no_token() -> None:
    assert matches(["the"], [["The The"]]) == [(True, 0.0)]


def test_answers_may_share_a_list_of_accepted_ones() -> None:
    told = pl.DataFrame({"of": [1, 1, 0], "text": ["b", "a", "b"]})
    exact, _ = match(told, pl.DataFrame({"of": [0, 1, 1], "text": ["a", "b", "c"]}), RULES)
    assert exact.to_list() == [True, False, False]


@settings(deadline=None)
@given(st.lists(ANSWERS, max_size=8))
def test_normalising_many_at_once_agrees_with_the_rules_as_written(texts: list[str]) -> None:
    words, between = RULES.tokens(texts)
    assert words == [word for text in texts for word in [*tokens(text), between]]
    assert [normalise(text).split() for text in texts] == [tokens(text) for text in texts]


@settings(deadline=None)
@given(ANSWERS)
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@settings(deadline=None)
@given(st.lists(st.tuples(st.none() | ANSWERS, st.lists(ANSWERS, max_size=4)), max_size=6))
@example([("", [""]), ("the", ["?"]), ("a a a b", ["b a a"]), ("x x y", ["x y y", "x x"])])
def test_scores_equal_the_rules_as_written_to_the_last_digit(rows: list[tuple[str | None, list[str]]]) -> None:
    assert matches([said for said, _ in rows], [golds for _, golds in rows]) == [best(*row) for row in rows]
