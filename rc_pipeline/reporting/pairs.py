"""The comparisons that a study makes: which runs stand against which, and which are one run with other seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from rc_pipeline.lake.canonical import canonical_json
from rc_pipeline.reporting.contenders import Contender, before

TUNING, ABLATION, MODELS = "tuning", "ablation", "models"


@dataclass(frozen=True)
class Pair:
    """Two sides of a comparison; a side with several seeds answers with the mean over them."""

    kind: str
    a: tuple[Contender, ...]
    b: tuple[Contender, ...]

    @property
    def runs(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The canonical names of the runs of both sides."""
        return tuple(one.run for one in self.a), tuple(one.run for one in self.b)


def seed_groups(contenders: Sequence[Contender]) -> dict[str, tuple[Contender, ...]]:
    """Return, by label, the runs that differ from it in their seed alone, itself first."""
    groups: dict[bytes, dict[str, Contender]] = {}
    for one in contenders:
        groups.setdefault(_but_seed(one), {}).setdefault(one.run, one)
    return {
        one.label: (one, *(other for run, other in groups[_but_seed(one)].items() if run != one.run))
        for one in contenders
    }


def study_pairs(contenders: Sequence[Contender]) -> list[Pair]:
    """Return every pair that a study compares, once: before and after, ablation and parent, then main runs."""
    groups, by_label = seed_groups(contenders), {one.label: one for one in contenders}
    found: dict[frozenset[str], Pair] = {}
    for kind, a, b in _wanted(contenders, by_label):
        pair = Pair(kind, groups[a.label], groups[b.label])
        sides = [frozenset(runs) for runs in pair.runs]
        if sides[0].isdisjoint(sides[1]):
            found.setdefault(frozenset(min(runs) for runs in pair.runs), pair)
    return list(found.values())


def _wanted(
    contenders: Sequence[Contender], by_label: dict[str, Contender]
) -> Iterator[tuple[str, Contender, Contender]]:
    main = [one for one in contenders if not one.ablation_of]
    for after in main:
        first = before(after, contenders) if after.tuned else None
        if first:
            yield TUNING, first, after
    for one in contenders:
        parent = by_label.get(one.ablation_of or "")
        if parent:
            yield ABLATION, parent, one
    for a, b in combinations(main, 2):
        yield MODELS, a, b


def _but_seed(one: Contender) -> bytes:
    settings = {name: value for name, value in one.settings.items() if name != "seed"}
    return canonical_json([one.model, one.tuned, settings])
