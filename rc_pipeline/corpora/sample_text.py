"""Stories and articles of the sample world: short passages of facts that can be asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

from rc_pipeline.corpora.sample_names import Pool, draw_people, draw_places, words

ANIMALS = words("dog cat horse goat cow hen duck pig fox sheep")
THINGS = words(
    "loaf jug lamp rope drum coat boat cake knife clock chair ladder basket kettle ring flute "
    "map book hat bell shirt stone wheel brush box cup plate candle pencil bag shoe blanket"
)
SPOTS = words(
    "market river mill forest school harbour garden station bridge library bakery farm church "
    "hill castle beach shop well field inn"
)
ACTS = words("buy sell find fetch fix paint borrow clean hide draw wash weigh")
FEELINGS = words("happy sad angry tired proud afraid calm curious worried bored glad lonely nervous hungry")
STATES = words("ill lost new broken warm cold late gone safe small heavy old wet dirty open")
ROLES = words(
    "teacher baker doctor miller judge sailor farmer nurse priest singer soldier tailor writer "
    "painter hunter guard cook clerk weaver fisher"
)
TIMES = words("lunch dinner school work breakfast church dark sunrise noon winter")
MOODS = words("cold warm quiet busy rainy sunny windy grey bright long")
PARTS = words("morning day evening afternoon night")


@dataclass(frozen=True)
class Asked:
    """One question about a fact, its bare answer, and the answer as a sentence."""

    question: str
    answer: str
    sentence: str


@dataclass(frozen=True)
class Fact:
    """What one sentence of a passage says about one subject."""

    subject: str
    statement: str
    asked: tuple[Asked, ...]
    value_kind: Literal["place", "person", "thing"]


@dataclass(frozen=True)
class Passage:
    """A passage as a list of sentences in the pre-tokenised style, and its facts."""

    title: str
    sentences: tuple[str, ...]
    facts: tuple[Fact, ...]

    @property
    def text(self) -> str:
        """Return the sentences as one line."""
        return " ".join(self.sentences)


def natural(text: str) -> str:
    """Join punctuation to its word: the pre-tokenised style becomes ordinary writing."""
    for mark in ".?,:":
        text = text.replace(f" {mark}", mark)
    return text.replace(" 's", "'s")


def _deeds(rng: Random, count: int) -> list[tuple[str, str]]:
    """Draw pairs of act and thing in which neither part occurs twice."""
    return list(zip(rng.sample(ACTS, count), rng.sample(THINGS, count), strict=True))


def _errands(rng: Random, names: list[str]) -> list[Fact]:
    spots = rng.sample(SPOTS, len(names))
    facts = []
    for name, spot, (act, thing) in zip(names, spots, _deeds(rng, len(names)), strict=True):
        said = f"{name} went to the {spot} to {act} a {thing} ."
        asked = (
            Asked(f"Why did {name} go to the {spot} ?", f"to {act} a {thing} .", said),
            Asked(f"Where did {name} go ?", f"to the {spot} .", said),
        )
        facts.append(Fact(name, said, asked, "thing"))
    return facts


def _feelings(rng: Random, names: list[str]) -> list[Fact]:
    feelings = rng.sample(FEELINGS, len(names))
    owned = rng.sample(ANIMALS + THINGS, len(names))
    states = rng.sample(STATES, len(names))
    facts = []
    for name, feeling, thing, state in zip(names, feelings, owned, states, strict=True):
        said = f"{name} was {feeling} because the {thing} was {state} ."
        asked = (
            Asked(f"Why was {name} {feeling} ?", f"because the {thing} was {state} .", said),
            Asked(f"How did {name} feel ?", f"{feeling} .", said),
        )
        facts.append(Fact(name, said, asked, "thing"))
    return facts


def _gifts(rng: Random, names: list[str]) -> list[Fact]:
    things = rng.sample(THINGS, len(names))
    roles = rng.sample(ROLES, len(names))
    facts = []
    for name, thing, role in zip(names, things, roles, strict=True):
        said = f"{name} gave a {thing} to the {role} ."
        asked = (
            Asked(f"What did {name} give away ?", f"a {thing} .", said),
            Asked(f"Who got the gift of {name} ?", f"the {role} .", said),
        )
        facts.append(Fact(name, said, asked, "thing"))
    return facts


def _plans(rng: Random, names: list[str]) -> list[Fact]:
    times = rng.sample(TIMES, len(names))
    facts = []
    for name, time, (act, thing) in zip(names, times, _deeds(rng, len(names)), strict=True):
        said = f"{name} will {act} a {thing} after {time} ."
        asked = (
            Asked(f"What will {name} do ?", f"{act} a {thing} .", said),
            Asked(f"When will {name} {act} a {thing} ?", f"after {time} .", said),
        )
        facts.append(Fact(name, said, asked, "thing"))
    return facts


_STORY_KINDS: tuple[Callable[[Random, list[str]], list[Fact]], ...] = (
    _errands,
    _feelings,
    _gifts,
    _plans,
)


def story(rng: Random, pool: Pool, people: tuple[int, int] = (4, 4)) -> Passage:
    """Tell of people who each did the same sort of thing for a reason of their own."""
    names = draw_people(rng, pool, rng.randint(*people))
    (place,) = draw_places(rng, pool, 1)
    facts = rng.choice(_STORY_KINDS)(rng, names)
    opening = f"It was a {rng.choice(MOODS)} {rng.choice(PARTS)} in {place} ."
    sentences = [opening, *(fact.statement for fact in facts)]
    return Passage(place, tuple(sentences), tuple(facts))


@dataclass(frozen=True)
class Relation:
    """A kind of fact: ways to state it and to ask for it; `{s}` is the subject, `{v}` the value."""

    subject_kind: Literal["place", "person"]
    value_kind: Literal["place", "person", "thing"]
    statement: str
    questions: tuple[str, ...]
    things: tuple[str, ...] = ()


RELATIONS = (
    Relation(
        "person", "place", "{s} lives in {v} .",
        ("Where does {s} live ?", "In which town does {s} live ?"),
    ),
    Relation(
        "person", "place", "{s} was born in {v} .",
        ("Where was {s} born ?", "In which town was {s} born ?"),
    ),
    Relation(
        "person", "thing", "{s} works as a {v} .",
        ("What is the job of {s} ?", "What does {s} work as ?"), ROLES,
    ),
    Relation(
        "person", "thing", "{s} owns a {v} .",
        ("What does {s} own ?", "Which thing does {s} own ?"), THINGS + ANIMALS,
    ),
    Relation(
        "place", "person", "The mayor of {s} is {v} .",
        ("Who is the mayor of {s} ?", "Which person is the mayor of {s} ?"),
    ),
    Relation(
        "place", "person", "{s} was founded by {v} .",
        ("Who founded {s} ?", "By whom was {s} founded ?"),
    ),
    Relation(
        "place", "thing", "{s} is known for its {v} .",
        ("What is {s} known for ?", "Which thing is {s} known for ?"), SPOTS + THINGS,
    ),
)  # fmt: skip


def article(rng: Random, pool: Pool, stated: tuple[int, int] = (4, 6)) -> Passage:
    """State a few facts, each about a subject of its own, most of them of one kind."""
    count = rng.randint(*stated)
    people, places = draw_people(rng, pool, 2 * count), draw_places(rng, pool, 2 * count)
    things = rng.sample(THINGS, count)
    relations = rng.sample(RELATIONS, 2)
    facts = []
    for turn in range(count):
        relation = relations[0] if turn < count - 1 else rng.choice(relations)
        subject = (people if relation.subject_kind == "person" else places).pop()
        if relation.value_kind == "thing":
            value = rng.choice([thing for thing in relation.things if thing not in things])
            things.append(value)
        else:
            value = (people if relation.value_kind == "person" else places).pop()
        said = relation.statement.format(s=subject, v=value)
        asked = tuple(Asked(question.format(s=subject), value, said) for question in relation.questions)
        facts.append(Fact(subject, said, asked, relation.value_kind))
    rng.shuffle(facts)
    return Passage(facts[0].subject, tuple(fact.statement for fact in facts), tuple(facts))
