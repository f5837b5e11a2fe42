"""Task templates: how a row of a dataset becomes an instruction, an input and an output."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from rc_pipeline.catalog.problems import nearest
from rc_pipeline.catalog.validation import STRICT, Language, Words, known_of, wrong, wrong_at
from rc_pipeline.instructions.sandbox import UnfitTemplate, names_of

# What an output may name beside the columns: the options as rendered, and the index of the right one.
OUTPUT_NAMES = ("choices", "label")


def _choices(choices: list[str] | str, info: ValidationInfo) -> list[str] | str:
    if isinstance(choices, str):
        if not re.fullmatch(r"\{\{ *\w+ *\}\}", choices):
            raise wrong("give a list of two or more, or {{ column }} for a column that holds a list")
        _check(choices, info)
        return choices
    if len(choices) == 1:
        raise wrong("one choice is no choice; give two or more, or none for an answer in free text")
    found: list[tuple[tuple[str | int, ...], str, str]] = []
    for place, text in enumerate(choices):
        try:
            if not text.strip():
                raise wrong("a choice is empty; write its text or take it out")
            _check(text, info)
        except PydanticCustomError as error:
            found.append(((place,), text, str(error)))
    if found:
        raise wrong_at(found)
    return choices


class TaskTemplate(BaseModel):
    """One file of catalog/tasks/<dataset>; its texts are Jinja over the columns of a row.

    `label` renders to the index of the right choice, read as a whole number; a row in which the column that it
    names is null has no known answer. In `output` the name `label` is that number (not the column of that name)
    and `choices` the list of rendered choices, so that `{{ choices[label] }}` is the right choice.
    """

    model_config = STRICT
    description: Words = ""
    language: Language = Field(default="en", description="language that the template speaks")
    use: list[Literal["train", "evaluate", "held_out"]] = Field(
        default=["train", "evaluate"],
        min_length=1,
        description="train, evaluate or both; or held_out: never trained on, asked as <dataset>/<split>.<template>",
    )
    weight: float = Field(default=1.0, gt=0, description="share of the training rows, against its neighbours' weights")
    system: str = Field(default="", description="who the model is to be, for prompts that have a place for it")
    instruction: str = Field(description="what to do")
    without_passage: str = Field(
        default="", description="instruction of the probe question_only; `instruction` without the passage if left out"
    )
    input: str = Field(default="", description="what to do it with")
    choices: Annotated[list[str] | str, AfterValidator(_choices)] = Field(
        default=[], description="the options, none for an answer in free text; or {{ column }}, a column with a list"
    )
    label: str = Field(default="", validate_default=True, description="index of the right choice, from 0")
    rationale: str = Field(default="", description="the reasoning that a model is to write before its answer")
    answer_after: str = Field(
        default="", validate_default=True, description="the mark behind which the answer stands in what a model writes"
    )
    output: str = Field(description="the right answer")

    @field_validator("use")
    @classmethod
    def _each_use_once(cls, use: list[str]) -> list[str]:
        if len(set(use)) < len(use):
            raise wrong("the same use twice; keep one of them")
        if "held_out" in use and len(use) > 1:
            raise wrong("a held-out template is for nothing else; give it no other use")
        return use

    @field_validator("label")
    @classmethod
    def _label_goes_with_choices(cls, label: str, info: ValidationInfo) -> str:
        _check(label, info)
        choices = info.data.get("choices")
        if choices and not label.strip():
            raise wrong("missing beside choices; give the index of the right one, such as {{ label }}")
        if label.strip() and choices == []:
            raise wrong("there are no choices to point at; add choices, or remove label")
        return label

    @field_validator("answer_after")
    @classmethod
    def _mark_goes_with_reasoning(cls, mark: str, info: ValidationInfo) -> str:
        if info.data.get("rationale", "").strip() and not mark.strip():
            raise wrong('missing beside rationale; give the mark before the answer, such as "Answer:"')
        if mark.strip() and info.data.get("choices"):
            raise wrong("an answer that is chosen is not looked for in text; remove it, or remove choices and label")
        return mark

    @field_validator("system", "rationale", "instruction", "without_passage", "input")
    @classmethod
    def _renders(cls, text: str, info: ValidationInfo) -> str:
        if info.field_name == "instruction" and not text.strip():
            raise wrong("empty; say what to do")
        _check(text, info)
        return text

    @field_validator("output")
    @classmethod
    def _output_renders(cls, text: str, info: ValidationInfo) -> str:
        if not text.strip():
            raise wrong("empty, so there is nothing to learn; write the right answer")
        # `choices` is absent when it is wrong itself: then its name is not reported a second time.
        has_choices = info.data.get("choices", True)
        if not has_choices and "choices" in _names(text):
            raise wrong("names choices, and the template has none; add choices and label")
        _check(text, info, OUTPUT_NAMES if has_choices else ())
        return text


def _check(text: str, info: ValidationInfo, more_names: tuple[str, ...] = ()) -> None:
    if "\\n" in text:
        raise wrong(r"holds a backslash and an n, which the model would read as such; write a real line break (| or "
                    r'double quotes in YAML)')  # fmt: skip
    names = _names(text)
    known = known_of(info)
    if known is None or known.columns is None:
        return
    for name in sorted(names - {*known.columns, *more_names}):
        columns = (*known.columns, *more_names)
        close = nearest(name, columns)
        listed = close if close.startswith("known") else f"{close} known: {', '.join(sorted(columns))}"
        raise wrong(f"the dataset has no column {name}; {listed}")


def _names(text: str) -> frozenset[str]:
    try:
        return names_of(text)
    except UnfitTemplate as error:
        raise wrong(str(error)) from error
