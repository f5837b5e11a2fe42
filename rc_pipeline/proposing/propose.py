"""Self-instruct for task templates: show some, ask for more, keep the sound ones, show those too."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from rc_pipeline.catalog.tasks import TaskTemplate
from rc_pipeline.proposing.answers import candidates
from rc_pipeline.proposing.asking import RequestTooLong, request_text
from rc_pipeline.proposing.judging import Dropped, Task, judged

SHOWN = 6
AT_A_TIME = 8
BARREN_TURNS = 3


class Asked(Protocol):
    """A language model that can be asked."""

    @property
    def name(self) -> str:
        """What a template's description calls it."""

    def ask(self, request: str, seed: int) -> str:
        """Return its answer; raises RequestTooLong, or ValueError when it gives none."""


@dataclass
class Proposals:
    """What was kept, what was dropped and why, and what ended the asking early."""

    kept: dict[str, TaskTemplate] = field(default_factory=dict)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    failure: str = ""


def propose(  # noqa: PLR0913 - by name, all of them
    task: Task,
    asked: Asked,
    *,
    count: int,
    seed: int,
    secret: str = "",
    say: Callable[[str], None] = lambda _: None,
) -> Proposals:
    """Ask until `count` templates are kept, or until answer after answer brings nothing."""
    found, barren, turn = Proposals(), 0, 0
    while len(found.kept) < count and barren < BARREN_TURNS:
        before = len(found.kept)
        try:
            answer = _ask(task, asked, found, min(AT_A_TIME, count - before), seed + turn)
        except ValueError as error:
            if not found.kept:
                raise
            found.failure = str(error)
            break
        _judge(answer, task, found, count, secret)
        say(f"{asked.name}: {len(found.kept)} of {count} kept, {len(found.dropped)} dropped")
        barren, turn = 0 if len(found.kept) > before else barren + 1, turn + 1
    return found


def _ask(task: Task, asked: Asked, found: Proposals, count: int, seed: int) -> str:
    """Ask with some of the templates there are, most of them a person's; with fewer where they are too long."""
    draw = random.Random(seed)  # noqa: S311
    own, kept = list(task.templates.values()), list(found.kept.values())
    # As in self-instruct, most of what is shown comes from people, so that answers do not drift.
    chosen = draw.sample(kept, min(2, len(kept)))
    chosen += draw.sample(own, min(SHOWN - len(chosen), len(own)))
    draw.shuffle(chosen)
    examples: list[dict[str, Any]] = [template.model_dump(mode="json") for template in chosen]
    while True:
        try:
            return asked.ask(request_text(examples, task.columns, task.language, count), seed)
        except RequestTooLong:
            if len(examples) <= 1:
                raise
            examples = examples[: len(examples) // 2]


def _judge(answer: str, task: Task, found: Proposals, count: int, secret: str) -> None:
    candidates_found = candidates(answer)
    if not candidates_found:
        found.dropped.append(("unreadable", f"an answer of {len(answer)} characters without a whole template"))
    for candidate in candidates_found:
        if len(found.kept) == count:
            return
        try:
            template = judged(candidate, task, found.kept, secret)
        except Dropped as dropped:
            found.dropped.append((dropped.reason, str(dropped)))
        else:
            found.kept[f"proposal {len(found.kept) + 1}"] = template
