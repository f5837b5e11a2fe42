from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_pipeline.prompting.cutting import CutSearch, cut_places


@pytest.mark.parametrize(
    "together",
    ["e\u0301", "\r\n", "👩\u200d🚀", "👍🏽", "🇫🇷", "क्", "❤\ufe0f"],
    ids=["accent", "line end", "joined emoji", "skin tone", "flag", "virama", "variation"],
)
def test_what_reads_as_one_character_is_never_parted(together: str) -> None:
    assert cut_places(f"a{together}b", range(9)) == [0, 1, 1 + len(together)]


def test_places_are_the_ends_of_tokens_inside_the_passage() -> None:
    assert cut_places("one two three", [-4, 0, 3, 3, 7, 13, 15]) == [0, 3, 7]
    assert cut_places("", []) == [0]


def found(places: list[int], budget: int, guess: int, length_at: Callable[[int], int]) -> tuple[int, int]:
    """Return the index of the place that a search settles on, and the number of its tries."""
    search = CutSearch(places, budget, guess)
    tries = 0
    while not search.done:
        search.tell(length_at(places[search.guess]))
        tries += 1
    return search.fits, tries


@given(
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=300),
    budget=st.integers(-5, 900),
    guess=st.integers(-400, 400),
)
def test_the_search_finds_the_longest_that_fits_in_few_tries(lengths: list[int], budget: int, guess: int) -> None:
    totals = [sum(lengths[: n + 1]) for n in range(len(lengths))]
    fits, tries = found(list(range(len(totals))), budget, guess, lambda place: totals[place])
    assert fits == sum(total <= budget for total in totals) - 1
    assert tries <= 16


def test_a_search_ends_whatever_the_lengths_are() -> None:
    for seed in range(50):
        fits, tries = found(list(range(200)), 50, 100, lambda place, seed=seed: (place * 7919 + seed * 104729) % 101)  # type: ignore[misc]
        assert fits == -1 or (fits * 7919 + seed * 104729) % 101 <= 50
        assert tries <= 16
