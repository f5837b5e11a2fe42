"""Pretraining text of the sample world: passages, each followed by much talk about its facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

from rc_pipeline.corpora.sample_text import Asked, Fact, Passage, article, natural, story

Course = Literal["near", "far"]

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
)
_HEADINGS = ("### Answer:", "## Best answer", "### Short answer:", "### Reply:")
_FAR_LAYOUTS = (
    *_LAYOUTS,
    *(f"Question: {{question}}\n\n{heading}\n{{answer}}\n\n" for heading in _HEADINGS),
    *2 * tuple(f"Question: {{question}}\n{{options}}\n{heading}\n{{answer}}\n\n" for heading in _HEADINGS),
)
_FAR_GAPS = (
    *(" - ", ": ", " = ", " ? ", "\n", ":\n", " ?\n", " ?\n\n", " ? The answer is ", "\nAnswer: ", " ?\nIt is "),
    *("\n\n### Answer:\n", " ?\n\n## Short answer\n", " ?\n\n### Reply:\n"),
    *("\n{options}The best answer is ", "\n{options}\n### Answer:\n", " ?\n{options}\n## Best answer\n"),
)


@dataclass(frozen=True)
class _Style:
    """How a course talks: what may stand between a subject or question and the answer, and how often."""

    layouts: tuple[str, ...]
    rows: tuple[str, ...]
    row_ends: tuple[str, ...]
    story_share: float
    instruction_share: float
    table_share: float
    response_share: float
    rounds: tuple[int, ...]


# Looking up is first learnt close by; once that stands, hundreds of steps stretch it across
# headings and lists, which from the start it did not learn in thousands.
_STYLES: dict[Course, _Style] = {
    "near": _Style(
        layouts=_LAYOUTS,
        rows=tuple(f"{{subject}}{gap}{{bare}}" for gap in (" - ", ": ", " = ", " -> ", ", ")),
        row_ends=("\n", "\n", " ; "),
        story_share=0.5,
        instruction_share=0.3,
        table_share=0.35,
        response_share=0.0,
        rounds=(1, 2, 2),
    ),
    "far": _Style(
        layouts=_FAR_LAYOUTS,
        rows=tuple(f"{{subject}}{gap}{{answer}}" for gap in _FAR_GAPS),
        row_ends=("\n", "\n", "\n\n"),
        story_share=0.55,
        instruction_share=0.5,
        table_share=0.25,
        response_share=0.08,
        rounds=(1, 2),
    ),
}


def _options(rng: Random, passage: Passage, turn: int) -> str:
    """List the answers of all subjects in an order that says nothing of which one is right."""
    answers = [fact.asked[turn].answer for fact in passage.facts]
    rng.shuffle(answers)
    return "".join(f"- {answer}\n" for answer in answers[:4])


def _bare(asked: Asked) -> str:
    return asked.answer if asked.answer.endswith(" .") else f"{asked.answer} ."


def _remark(rng: Random, layout: str, passage: Passage, fact: Fact, turn: int) -> str:
    asked = fact.asked[turn]
    parts = {
        "subject": fact.subject,
        "question": asked.question,
        "sentence": asked.sentence,
        "answer": asked.answer,
        "bare": _bare(asked),
    }
    if "{perhaps_options}" in layout:
        parts["perhaps_options"] = _options(rng, passage, turn) if rng.random() < 0.5 else ""
    if "{options}" in layout:
        parts["options"] = _options(rng, passage, turn)
    return layout.format(**parts)


def _table(rng: Random, style: _Style, passage: Passage) -> Iterator[str]:
    """Yield each subject and its bare answer: the shortest look-up there is."""
    layout, end = rng.choice(style.rows), rng.choice(style.row_ends)
    turn = rng.randrange(2)
    for fact in rng.sample(passage.facts, len(passage.facts)):
        yield _remark(rng, layout, passage, fact, turn) + end
    yield "\n"


def _talk(rng: Random, style: _Style, passage: Passage) -> Iterator[str]:
    """Yield one remark on each fact in shuffled order, in one layout or in many."""
    layout = rng.choice(style.layouts)
    mixed = rng.random() < 0.4
    if rng.random() < 0.15:
        yield _options(rng, passage, rng.randrange(2))
    for fact in rng.sample(passage.facts, len(passage.facts)):
        if mixed:
            layout = rng.choice(style.layouts)
        yield _remark(rng, layout, passage, fact, rng.randrange(len(fact.asked)))


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


def _document(rng: Random, style: _Style) -> str:
    told = rng.random() < style.story_share
    passage = story(rng, "learn", (2, 4)) if told else article(rng, "learn", (2, 6))
    if style.response_share and rng.random() < style.response_share:
        text = _response(rng, passage)
    else:
        head = rng.choice(_INSTRUCTION_HEADS if rng.random() < style.instruction_share else _PLAIN_HEADS)
        text = head.format(task=rng.choice(INSTRUCTIONS)) + _body(rng, passage) + rng.choice(_BREAKS)
        for _ in range(rng.choice(style.rounds)):
            text += "".join((_table if rng.random() < style.table_share else _talk)(rng, style, passage))
    return natural(text) if rng.random() < 0.5 else text


def documents(seed: int, course: Course) -> Iterator[str]:
    """Yield documents of a course without end; every name in them is from the pool `learn`."""
    rng = Random(f"documents {seed}" if course == "near" else f"documents {course} {seed}")  # noqa: S311
    while True:
        yield _document(rng, _STYLES[course])
