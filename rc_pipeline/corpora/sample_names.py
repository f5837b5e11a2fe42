"""Names of the sample world: two syllables each, in three pools that share no name."""

from __future__ import annotations

import hashlib
from functools import cache
from random import Random
from typing import Literal

Pool = Literal["learn", "valid", "test"]


def words(text: str) -> tuple[str, ...]:
    """Part a line of words."""
    return tuple(text.split())


# Two letters and two letters, so that a tokenizer can give each half one token.
PERSON_FIRST = words(
    "Ta Mi Ro Le Ka Su Do Ne Vi Ba Ze Fo Lu Pa Gi He Jo Ku Ma Ti "
    "Ri So De Na Vo Bi Fa Lo Pu Ga Ja Ke Mu To Ra Si Du No Ve Po"
)
PERSON_SECOND = words(
    "vo dor bel tu zan kos pia vek dis fen gar hul jin kam pov tam vin wes yan zor bri dak fil "
    "gus hab jor kir cas bex dul fip gom hux jub kez wup yol vam zed cof"
)
PLACE_FIRST = words(
    "Brin Mell Asp Corn Whit Elder Stan Hel Nor Thorn Wald Crag Elk Gren Hart Rook Lang Mar "
    "Old Penn Rush Sel Tor Under West Wynd Black Cold Dun East Fen Glen Holt Iron Long Mill"
)
PLACE_SECOND = words("ford brook cliff ton wick bury field stead mouth bridge view well wood moor worth combe")


def _pool_of(name: str) -> Pool:
    """Decide the pool of a name by its own bytes: the same in every run and for every seed."""
    share = hashlib.sha256(f"sample world {name}".encode()).digest()[0]
    if share < 160:
        return "learn"
    return "valid" if share < 208 else "test"


@cache
def _by_first(pool: Pool, kind: Literal["person", "place"]) -> dict[str, tuple[str, ...]]:
    firsts, seconds = (PERSON_FIRST, PERSON_SECOND) if kind == "person" else (PLACE_FIRST, PLACE_SECOND)
    table = {first: tuple(first + second for second in seconds if _pool_of(first + second) == pool) for first in firsts}
    return {first: names for first, names in table.items() if names}


@cache
def people(pool: Pool) -> tuple[str, ...]:
    """Return every person name of a pool."""
    return tuple(name for names in _by_first(pool, "person").values() for name in names)


@cache
def places(pool: Pool) -> tuple[str, ...]:
    """Return every place name of a pool."""
    return tuple(name for names in _by_first(pool, "place").values() for name in names)


def draw_people(rng: Random, pool: Pool, count: int) -> list[str]:
    """Draw person names whose first syllables all differ, so that no two are alike."""
    table = _by_first(pool, "person")
    return [rng.choice(table[first]) for first in rng.sample(sorted(table), count)]


def draw_places(rng: Random, pool: Pool, count: int) -> list[str]:
    """Draw place names whose first syllables all differ."""
    table = _by_first(pool, "place")
    return [rng.choice(table[first]) for first in rng.sample(sorted(table), count)]
