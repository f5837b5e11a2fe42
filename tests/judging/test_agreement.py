"""Agreement against figures that others published."""

from __future__ import annotations

import pytest

from rc_pipeline.judging.agreement import agreement

# K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), example C: four observers, twelve units,
# missing ratings; alpha is 0.743 for nominal data and 0.849 for interval data.
EXAMPLE_C = {
    "A": [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    "B": [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    "C": [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    "D": [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
}


def ratings(columns):
    return {
        rater: {f"u{n:02}": value for n, value in enumerate(values) if value is not None}
        for rater, values in columns.items()
    }


def table(cells: dict[tuple[str, str], int]):
    """Return two raters' labels with so many of each pair."""
    pairs = [pair for pair, count in cells.items() for _ in range(count)]
    return ratings({"A": [one for one, _ in pairs], "B": [other for _, other in pairs]})


@pytest.mark.parametrize(("graded", "alpha"), [(False, 0.743), (True, 0.849)])
def test_alpha_with_missing_ratings_is_krippendorffs(graded, alpha):
    found = agreement(ratings(EXAMPLE_C), graded=graded)
    assert found.alpha == pytest.approx(alpha, abs=5e-4)
    assert (found.raters, found.items, found.kappa) == (4, 11, None)


# The three tables of https://en.wikipedia.org/wiki/Cohen%27s_kappa: "Simple example" and "Same percentages but
# different numbers".
@pytest.mark.parametrize(
    ("yes_yes", "yes_no", "no_yes", "no_no", "kappa"),
    [(20, 5, 10, 15, 0.40), (45, 15, 25, 15, 0.1304), (25, 35, 5, 35, 0.2593)],
)
def test_kappa_of_two_raters_is_cohens(yes_yes, yes_no, no_yes, no_no, kappa):
    cells = {("y", "y"): yes_yes, ("y", "n"): yes_no, ("n", "y"): no_yes, ("n", "n"): no_no}
    found = agreement(table(cells), graded=False)
    assert found.kappa == pytest.approx(kappa, abs=5e-5)
    assert found.share == pytest.approx((yes_yes + no_no) / sum(cells.values()))


def test_kappa_counts_only_what_both_rated():
    both = table({("A", "A"): 20, ("A", "B"): 5, ("B", "A"): 10, ("B", "B"): 15})
    both["A"] |= {f"only {n}": "A" for n in range(30)}
    assert agreement(both, graded=False).kappa == pytest.approx(0.4)


def test_kappa_of_grades_forgives_a_neighbour_and_not_a_stranger():
    near = ratings({"A": [1, 2, 3, 4, 5], "B": [2, 2, 3, 4, 4]})
    far = ratings({"A": [1, 2, 3, 4, 5], "B": [5, 2, 3, 4, 1]})
    assert agreement(near, graded=True).share == agreement(far, graded=True).share
    assert agreement(near, graded=True).kappa > 0.8
    assert agreement(far, graded=True).kappa < 0
    # By hand: 1 - (sum of squared differences / items) / (mean squared difference over all pairs of ratings).
    everyone = [(a - b) ** 2 for a in (1, 2, 3, 4, 5) for b in (2, 2, 3, 4, 4)]
    assert agreement(near, graded=True).kappa == pytest.approx(1 - (2 / 5) / (sum(everyone) / 25))


@pytest.mark.parametrize("one", [{}, {"A": {}}, {"A": {"u": 3}}, {"A": {"u": 3}, "B": {"v": 3}}])
def test_nothing_is_claimed_where_nobody_rated_the_same(one):
    found = agreement(one, graded=True)
    assert (found.items, found.share, found.kappa, found.alpha) == (0, None, None, None)


def test_ratings_that_are_all_the_same_say_nothing_beyond_chance():
    found = agreement(ratings({"A": [3, 3], "B": [3, 3]}), graded=True)
    assert (found.share, found.kappa, found.alpha) == (1.0, None, None)
