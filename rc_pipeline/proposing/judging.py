"""Whether a proposed template is kept: safe, whole, in its language, sound on real rows, and not there already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from rc_pipeline.catalog.tasks import OUTPUT_NAMES, TaskTemplate
from rc_pipeline.catalog.validation import Known, explained
from rc_pipeline.instructions.errors import InstructionsError
from rc_pipeline.instructions.rendering import TaskRenderer
from rc_pipeline.instructions.sandbox import names_of
from rc_pipeline.proposing.jinja import why_not_plain
from rc_pipeline.proposing.likeness import NEAR, nearest_of, words
from rc_pipeline.xray.visible import visible

MOST_CHARACTERS = 6000
# What people read is theirs to say, and what the template is for is settled: train.
LEFT_ASIDE = {"name", "description", "language", "use", "weight"}
_HAN = (range(0x3400, 0xA000), range(0xF900, 0xFB00))


class Dropped(Exception):
    """A candidate that is not kept: a word to count it by, and what exactly was wrong."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class Task:
    """What templates are proposed for: the columns, the templates that are there, and rows to try them on."""

    folder: str
    columns: tuple[str, ...]
    passage_column: str
    templates: Mapping[str, TaskTemplate]
    rows: Sequence[Mapping[str, Any]]
    language: str = "en"

    @cached_property
    def places(self) -> list[tuple[frozenset[str], frozenset[str], frozenset[str]]]:
        """The columns that each template asks with, answers with, and answers with though they were shown."""
        return [_places(template.model_dump()) for template in self.templates.values()]


def judged(candidate: Mapping[str, Any], task: Task, kept: Mapping[str, TaskTemplate], secret: str) -> TaskTemplate:
    """Return the candidate as a template to train with; raises Dropped."""
    data = {name: value for name, value in candidate.items() if name not in LEFT_ASIDE}
    _refuse_texts(list(_texts(data)), secret)
    try:
        template = TaskTemplate.model_validate(
            data | {"language": task.language, "use": ["train"], "weight": 0.5}, context=Known(columns=task.columns)
        )
    except ValidationError as error:
        field, value, remedy = explained(error, TaskTemplate)[0]
        raise Dropped("invalid", f"{field} = {value}: {remedy}") from None
    _refuse_columns(template, task)
    _refuse_language(template, task.language)
    _refuse_rendering(template, task)
    _refuse_copies(template, {**task.templates, **kept})
    return template


def _texts(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield all that a candidate says, names included; raises Dropped where it is more than texts and lists of them."""
    for name, value in data.items():
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, str) for part in [name, *parts]):
            raise Dropped("invalid", "a field that is neither a text nor a list of texts")
        yield from [name, *parts]


def _refuse_texts(texts: Sequence[str], secret: str) -> None:
    # First of all, since what follows may be shown.
    if secret and any(secret in text for text in texts):
        raise Dropped("holds_the_key", "it repeats the endpoint's key")
    if sum(map(len, texts)) > MOST_CHARACTERS:
        raise Dropped("too_long", f"{sum(map(len, texts))} characters in all")
    for text in texts:
        plain = text.replace("\n", "").replace("\t", "")
        if visible(plain) != plain:
            raise Dropped("unsafe", "control characters, or some that turn or hide the writing")
        fault = why_not_plain(text)
        if fault:
            raise Dropped("unsafe", fault)


def _places(data: Mapping[str, Any]) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    def named(*fields: str) -> frozenset[str]:
        values = [data.get(field) or "" for field in fields]
        texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
        return frozenset().union(*map(names_of, texts))

    asked = named("system", "instruction", "input")
    output = named("output") - set(OUTPUT_NAMES) if data.get("choices") else named("output")
    answered = output | named("choices", "label")
    return asked, answered, asked & (output | named("label"))


def _refuse_columns(template: TaskTemplate, task: Task) -> None:
    """Require the columns that every template of the folder shows, and no answer among what is asked."""
    asked, answered, shown = _places(template.model_dump())
    given = task.places or [(frozenset(), frozenset(), frozenset())]
    for found, needed, where in (
        (asked, frozenset.intersection(*(each[0] for each in given)), "instruction or input"),
        (answered, frozenset.intersection(*(each[1] for each in given)), "choices, label or output"),
    ):
        if needed - found:
            raise Dropped("missing_column", f"{', '.join(sorted(needed - found))} in {where}")
        if not found:
            raise Dropped("missing_column", f"no column at all in {where}")
    given_away = shown - frozenset().union(*(each[2] for each in given))
    if given_away:
        raise Dropped("gives_the_answer_away", f"{', '.join(sorted(given_away))} is asked with and answered with")


def _refuse_language(template: TaskTemplate, language: str) -> None:
    said = words(f"{template.system} {template.instruction} {template.input}")
    han = sum(ord(word[0]) in block for word in said for block in _HAN)
    if said and language[:2] in ("en", "zh") and (language[:2] == "zh") != (2 * han > len(said)):
        raise Dropped("other_language", f"{han} of {len(said)} words are Chinese characters")


def _refuse_rendering(template: TaskTemplate, task: Task) -> None:
    renderer = TaskRenderer("proposed", template.model_dump(mode="json"), task.passage_column)
    for row in task.rows:
        try:
            rendered = renderer.render(row)
        except InstructionsError as error:
            raise Dropped("does_not_render", str(error).removeprefix("proposed.yaml: ")) from None
        if not rendered.instruction.strip():
            raise Dropped("does_not_render", f"row {row['row_id']}: the instruction is blank")
        if rendered.output is not None and not rendered.output.strip():
            raise Dropped("does_not_render", f"row {row['row_id']}: the output is blank")


def _refuse_copies(template: TaskTemplate, others: Mapping[str, TaskTemplate]) -> None:
    def asked(one: TaskTemplate) -> list[str]:
        return words(f"{one.system} {one.instruction} {one.input}")

    name, near = nearest_of(asked(template), ((name, asked(other)) for name, other in others.items()))
    if near > NEAR:
        raise Dropped("near_copy", f"ROUGE-L {near:.2f} against {name}")
