"""Pretraining text of the sample world: passages, each followed by much talk about its facts."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from rc_pipeline.corpora.sample_text import Asked, Passage, article, natural, story

INSTRUCTIONS = (
    "Read the story and choose the best answer to the question .",
    "Choose the answer that fits the story .",
    "Answer the question from the passage .",
    "Read the passage and give a short answer .",
)
_INSTRUCTION_HEADS = ("### Instruction:\n{task}\n\n### Input:\n", "{task}\n\n", "## Task\n{task}\n\n")
_PLAIN_HEADS = ("", "", "## Story\n", "Notes\n", "# Passage\n\n", "### Input:\n", "Story: ")
_BREAKS = ("\n", "\n\n", "\n\n", "\n## Questions\n", "\n\n### Question:\n", "\n\nAnswers\n")


def _options(rng: Random, passage: Passage, turn: int) -> str:
    """List the answers of all subjects in an order that says nothing of which one is right."""
    answers = [fact.asked[turn].answer for fact in passage.facts]
    rng.shuffle(answers)
    return "".join(f"- {answer}\n" for answer in answers[:4])


def _bare(asked: Asked) -> str:
    return asked.answer if asked.answer.endswith(" .") else f"{asked.answer} ."


# Full sentences, and bare answers only behind a lead-in: nothing here ends after a bare answer,
# because answering so is what tuning is meant to teach.
_LAYOUTS = (
    "{sentence}\n",
    "- {sentence}\n",
    "Q: {question}\nA: {sentence}\n",
    "{question} {sentence}\n",
    "{question}\n{sentence}\n\n",
    "Question: {question}\n{perhaps_options}{sentence}\n",
    "{question} The answer is {bare}\n",
    "Q: {question}\nIt is {bare}\n",
    "Question: {question}\nAnswer: {bare}\n",
    "{question} = {bare}\n",
    "Question: {question}\n{options}The best answer is {bare}\n",
)


def _remark(rng: Random, layout: str, passage: Passage, asked: Asked, turn: int) -> str:
    parts = {"question": asked.question, "sentence": asked.sentence, "bare": _bare(asked)}
    if "{perhaps_options}" in layout:
        parts["perhaps_options"] = _options(rng, passage, turn) if rng.random() < 0.5 else ""
    if "{options}" in layout:
        parts["options"] = _options(rng, passage, turn)
    return layout.format(**parts)


_DASHES = (" - ", ": ", " = ", " -> ", ", ")


def _table(rng: Random, passage: Passage) -> Iterator[str]:
    """Yield each subject beside its bare answer: the shortest look-up there is."""
    dash, end = rng.choice(_DASHES), rng.choice(("\n", "\n", " ; "))
    turn = rng.randrange(2)
    for fact in rng.sample(passage.facts, len(passage.facts)):
        yield f"{fact.subject}{dash}{_bare(fact.asked[turn])}{end}"
    yield "\n"


def _talk(rng: Random, passage: Passage) -> Iterator[str]:
    """Yield one remark on each fact in shuffled order, in one layout or in many."""
    layout = rng.choice(_LAYOUTS)
    mixed = rng.random() < 0.4
    if rng.random() < 0.15:
        yield _options(rng, passage, rng.randrange(2))
    for fact in rng.sample(passage.facts, len(passage.facts)):
        if mixed:
            layout = rng.choice(_LAYOUTS)
        turn = rng.randrange(len(fact.asked))
        yield _remark(rng, layout, passage, fact.asked[turn], turn)


def _body(rng: Random, passage: Passage) -> str:
    separator = rng.choice((" ", " ", "\n", "\n\n"))
    sentences = list(passage.sentences)
    if rng.random() < 0.4:
        pairs = (" ".join(sentences[at : at + 2]) for at in range(0, len(sentences), 2))
        return separator.join(pairs)
    return separator.join(sentences)


def document(rng: Random) -> str:
    """Write one document: a heading, a passage, and talk about its facts."""
    passage = story(rng, "learn", (2, 4)) if rng.random() < 0.5 else article(rng, "learn", (2, 6))
    head = rng.choice(_INSTRUCTION_HEADS if rng.random() < 0.3 else _PLAIN_HEADS)
    text = head.format(task=rng.choice(INSTRUCTIONS)) + _body(rng, passage) + rng.choice(_BREAKS)
    # A later remark on a fact can be copied from an earlier one, so more rounds teach less.
    for _ in range(rng.choice((1, 2, 2))):
        text += "".join((_table if rng.random() < 0.35 else _talk)(rng, passage))
    return natural(text) if rng.random() < 0.5 else text


def documents(seed: int) -> Iterator[str]:
    """Yield documents without end; every name in them is from the pool `learn`."""
    rng = Random(f"documents {seed}")  # noqa: S311
    while True:
        yield document(rng)
