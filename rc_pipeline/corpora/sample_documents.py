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
_RETELL = ("Tell the story again .", "Write the passage once more .", "Say it again .")
_LIST = ("List every answer that one could give .", "Name all that might be meant .", "Repeat all the answers .")
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


# Nothing here answers behind `### Response:`, or ends after a bare answer: tuning teaches both.
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
    "Question: {question}\n\n### Answer:\n{answer}\n\n",
    "Question: {question}\n{options}\n### Answer:\n{answer}\n\n",
    "Question: {question}\n{options}\n## Best answer\n{answer}\n\n",
    "{question}\n\n### Short answer:\n{answer}\n\n",
)
_CHOICES = tuple(layout for layout in _LAYOUTS if "options}" in layout)


def _remark(rng: Random, layout: str, passage: Passage, asked: Asked, turn: int) -> str:
    parts = {"question": asked.question, "sentence": asked.sentence, "bare": _bare(asked)}
    parts["answer"] = asked.answer
    if "{perhaps_options}" in layout:
        parts["perhaps_options"] = _options(rng, passage, turn) if rng.random() < 0.5 else ""
    if "{options}" in layout:
        parts["options"] = _options(rng, passage, turn)
    return layout.format(**parts)


# What stands between a subject and its answer in a table: from next to nothing to a heading, so
# that the answer is learnt to belong to the subject last named, however far back that was.
_GAPS = (
    *(" - ", ": ", " = ", " -> ", ", ", " ? ", "\n", ":\n", " ?\n", " ?\n\n"),
    *(" ? The answer is ", "\nAnswer: ", " ?\nIt is ", "\n\n### Answer:\n", " ?\n\n## Short answer\n"),
    *("\n{options}The best answer is ", "\n{options}\n### Answer:\n", " ?\n{options}\n## Best answer\n"),
)


def _table(rng: Random, passage: Passage) -> Iterator[str]:
    """Yield each subject and its bare answer: the shortest look-up there is."""
    gap, end = rng.choice(_GAPS), rng.choice(("\n", "\n", "\n\n"))
    turn = rng.randrange(2)
    for fact in rng.sample(passage.facts, len(passage.facts)):
        between = gap.format(options=_options(rng, passage, turn)) if "{" in gap else gap
        yield f"{fact.subject}{between}{fact.asked[turn].answer}{end}"
    yield "\n"


def _talk(rng: Random, passage: Passage) -> Iterator[str]:
    """Yield one remark on each fact in shuffled order, in one layout or in many."""
    layouts = _CHOICES if rng.random() < 0.3 else _LAYOUTS
    layout = rng.choice(layouts)
    mixed = rng.random() < 0.4
    if rng.random() < 0.15:
        yield _options(rng, passage, rng.randrange(2))
    for fact in rng.sample(passage.facts, len(passage.facts)):
        if mixed:
            layout = rng.choice(layouts)
        turn = rng.randrange(len(fact.asked))
        yield _remark(rng, layout, passage, fact.asked[turn], turn)


def _body(rng: Random, passage: Passage) -> str:
    separator = rng.choice((" ", " ", "\n", "\n\n"))
    sentences = list(passage.sentences)
    if rng.random() < 0.4:
        pairs = (" ".join(sentences[at : at + 2]) for at in range(0, len(sentences), 2))
        return separator.join(pairs)
    return separator.join(sentences)


def _response(rng: Random, passage: Passage) -> str:
    """Behind the heading that tuning gives its meaning, tell all again or list all answers."""
    if rng.random() < 0.3:
        task, asked, response = rng.choice(_RETELL), "", f"{passage.text}\n"
    else:
        turn = rng.randrange(2)
        question = rng.choice(passage.facts).asked[turn].question
        options = _options(rng, passage, turn) if rng.random() < 0.6 else ""
        task, asked = rng.choice(_LIST), f"\n\nQuestion: {question}\n{options}".rstrip("\n")
        response = _options(rng, passage, turn).replace("- ", "")
    return f"### Instruction:\n{task}\n\n### Input:\n{_body(rng, passage)}{asked}\n\n### Response:\n{response}\n"


def document(rng: Random) -> str:
    """Write one document: a heading, a passage, and talk about its facts."""
    passage = story(rng, "learn", (2, 4)) if rng.random() < 0.5 else article(rng, "learn", (2, 6))
    if rng.random() < 0.1:
        text = _response(rng, passage)
    else:
        head = rng.choice(_INSTRUCTION_HEADS if rng.random() < 0.4 else _PLAIN_HEADS)
        text = head.format(task=rng.choice(INSTRUCTIONS)) + _body(rng, passage) + rng.choice(_BREAKS)
        # A later remark on a fact can be copied from an earlier one, so more rounds teach less.
        for _ in range(rng.choice((1, 2))):
            text += "".join((_table if rng.random() < 0.4 else _talk)(rng, passage))
    return natural(text) if rng.random() < 0.5 else text


def documents(seed: int) -> Iterator[str]:
    """Yield documents without end; every name in them is from the pool `learn`."""
    rng = Random(f"documents {seed}")  # noqa: S311
    while True:
        yield document(rng)
