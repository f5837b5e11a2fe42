"""The statistics against their definitions, counted out."""

from __future__ import annotations

import itertools
import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_pipeline.reporting.significance import bootstrap_p, detectable, holm, mcnemar


def test_runs_that_no_question_sets_apart_do_not_differ() -> None:
    assert mcnemar([]) == mcnemar([0, 0, 0]) == 1.0
    assert detectable([0.0, 0.0], 2) is None
    assert bootstrap_p(0.0, np.zeros(100)) == 1.0
    assert holm([]) == []


@pytest.mark.parametrize(("better", "worse"), [(1, 0), (9, 2), (2, 9), (5, 5), (40, 61), (3000, 3100), (0, 1100)])
def test_with_one_question_a_cluster_the_test_is_mcnemars_exact_one(better: int, worse: int) -> None:
    n = better + worse
    tail = sum(math.comb(n, k) for k in range(min(better, worse) + 1))
    assert mcnemar([1] * better + [0] * 7 + [-1] * worse) == pytest.approx(min(1.0, 2 * tail / 2**n), rel=1e-9)


@given(st.lists(st.integers(-4, 4), max_size=9))
def test_clusters_are_turned_as_a_whole(gains: list[int]) -> None:
    turned = [
        sum(map(math.prod, zip(signs, gains, strict=True))) for signs in itertools.product((1, -1), repeat=len(gains))
    ]
    share = sum(abs(total) >= abs(sum(gains)) for total in turned) / len(turned)
    assert mcnemar(gains) == pytest.approx(share, rel=1e-12)


def test_several_questions_of_one_passage_count_for_less_than_as_many_of_their_own() -> None:
    assert mcnemar([4, 4, 4]) > 10 * mcnemar([1] * 12)


def test_a_bootstrap_finds_what_is_there_and_nothing_where_nothing_is() -> None:
    chance = np.random.default_rng(0)
    assert bootstrap_p(3.0, 3.0 + chance.normal(size=9999)) < 0.01
    assert bootstrap_p(0.5, 0.5 + chance.normal(size=9999)) > 0.5
    assert bootstrap_p(50.0, 50.0 + chance.normal(size=9999)) == 1 / 10_000, "no p is nought"


def test_holm_multiplies_the_smallest_most_and_keeps_the_order() -> None:
    assert holm([0.04, 0.01, 0.03, 0.9]) == pytest.approx([0.09, 0.04, 0.09, 0.9])
    assert holm([0.5, 0.6]) == [1.0, 1.0]


def test_what_is_called_detectable_is_found_four_times_in_five() -> None:
    n, discordant, chance = 1000, 0.2, Random(1)
    least = detectable([1.0] * int(n * discordant), n)
    assert least is not None
    rises = (discordant + least) / 2
    found = 0
    for _ in range(300):
        gains = [(1 if chance.random() < rises / discordant else -1) for _ in range(n) if chance.random() < discordant]
        found += mcnemar(gains) < 0.05
    assert 0.72 < found / 300 < 0.88
