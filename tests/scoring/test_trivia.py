"""TriviaQA's comparison rules, against a restatement of them that shares no code with ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_pipeline.scoring.trivia import best_match, normalise

PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" + "‘’´"
WORDS = st.sampled_from(
    ["the", "a", "an", "A.", "The", "Blvd", "U.S.", "sunset", "42", "日落", "it's", "_", "’", "Å", "\n"]
)
ANSWERS = st.one_of(st.text(max_size=30), st.lists(WORDS, max_size=6).map(" ".join))


def restated(text: str) -> list[str]:
    """Return the tokens of an answer by the rules as they are written down, one step at a time."""
    text = text.replace("_", " ").lower()
    for mark in PUNCTUATION:
        text = text.replace(mark, " ")
    pieces, word = [], ""
    for character in text:
        if character.isalnum() or character == "_":
            word += character
        else:
            pieces += [word, character]
            word = ""
    kept = [" " if piece in {"a", "an", "the"} else piece for piece in [*pieces, word]]
    return "".join(kept).split()


def restated_f1(prediction: list[str], gold: list[str]) -> float:
    left, shared = list(gold), 0
    for token in prediction:
        if token in left:
            left.remove(token)
            shared += 1
    return 2 * shared / (len(prediction) + len(gold)) if shared else 0.0


@pytest.mark.parametrize("prediction", [None, "", "   ", "\n\t"])
def test_no_answer_is_no_match_even_of_a_gold_answer_that_has_no_words(prediction: str | None) -> None:
    assert best_match(prediction, ["The", "?"]).exact is False
    assert best_match(prediction, ["The", "?"]).f1 == 0


def test_an_empty_alias_list_is_no_match_and_no_crash() -> None:
    assert best_match("anything", []).exact is False


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
    assert not best_match("US", ["U.S."]).exact
    assert best_match("u s", ["U.S."]).exact


def test_both_scores_are_the_best_over_the_aliases() -> None:
    match = best_match("West Sunset Boulevard", ["sunset boulevard", "blvd"])
    assert (match.exact, match.f1) == (False, pytest.approx(0.8))


def test_words_that_are_all_articles_match_exactly_and_share_no_token() -> None:
    match = best_match("the", ["The The"])
    assert (match.exact, match.f1) == (True, 0.0)


@given(ANSWERS)
def test_normalising_agrees_with_the_rules_as_written(text: str) -> None:
    assert normalise(text).split() == restated(text)


@given(ANSWERS)
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(ANSWERS, st.lists(ANSWERS, max_size=4))
def test_scores_agree_with_the_rules_as_written(prediction: str, golds: list[str]) -> None:
    match = best_match(prediction, golds)
    said = restated(prediction)
    answered = bool(prediction.strip())
    assert match.exact == (answered and any(said == restated(gold) for gold in golds))
    best = max((restated_f1(said, restated(gold)) for gold in golds), default=0.0) if answered else 0.0
    assert match.f1 == pytest.approx(best)
