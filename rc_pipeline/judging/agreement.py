"""How far raters agree, and how much of that is more than chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

Label = str | int


@dataclass(frozen=True)
class Agreement:
    """Over items that two raters or more rated; kappa is for two raters, and None where chance cannot be told."""

    raters: int
    items: int
    share: float | None
    kappa: float | None
    alpha: float | None


def agreement(ratings: Mapping[str, Mapping[str, Label]], *, graded: bool) -> Agreement:
    """Return the agreement of {rater: {item: label}}; between grades a small distance weighs less than a large one."""
    rated: dict[str, dict[str, Label]] = defaultdict(dict)
    for rater, labels in ratings.items():
        for item, label in labels.items():
            rated[item][rater] = label
    shared = {item: labels for item, labels in rated.items() if len(labels) > 1}
    pairs = [one == other for labels in shared.values() for one, other in combinations(labels.values(), 2)]
    share = sum(pairs) / len(pairs) if pairs else None
    kappa, alpha = _beyond_chance(shared, len(ratings), graded=graded)
    return Agreement(len(ratings), len(shared), share, kappa, alpha)


def _beyond_chance(
    shared: Mapping[str, Mapping[str, Label]], raters: int, *, graded: bool
) -> tuple[float | None, float | None]:
    """Return Cohen's kappa (for grades with quadratic weights) and Krippendorff's alpha (for grades by interval)."""
    from nltk.metrics.agreement import AnnotationTask
    from nltk.metrics.distance import binary_distance, interval_distance

    told = [(rater, item, label) for item in sorted(shared) for rater, label in sorted(shared[item].items())]
    if len({label for _, _, label in told}) < 2:
        return None, None
    task = AnnotationTask(told, distance=interval_distance if graded else binary_distance)
    kappa = (task.weighted_kappa() if graded else task.kappa()) if raters == 2 else None
    return kappa, float(task.alpha())
