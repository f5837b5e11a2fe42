"""Prompt templates: alpaca-lora's JSON format, with places for a system text and earlier turns."""

from __future__ import annotations

from string import Formatter
from typing import Any, Literal

from pydantic import (
    BaseModel,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from rc_pipeline.catalog.validation import STRICT, Words, wrong, wrong_at
from rc_pipeline.prompting.template import PLACEHOLDERS, REQUIRED, contradictions

WANTED = REQUIRED | {"prompt_input": ("instruction", "input"), "prompt_no_input": ("instruction",)}


class PromptTemplate(BaseModel):
    """One file of catalog/prompts: an instruction and its input become the text that a model reads."""

    model_config = STRICT
    description: Words = ""
    chat_template: Literal["tokenizer"] | None = Field(
        default=None, description="tokenizer: the chat template of the model's own tokenizer, instead of all below"
    )
    response_split: str | None = Field(
        default=None, validate_default=True, description="the text after which the answer comes"
    )
    prompt_input: str | None = Field(
        default=None, validate_default=True, description="the prompt, with {instruction} and {input}"
    )
    prompt_no_input: str | None = Field(
        default=None, validate_default=True, description="the prompt for an empty input, with {instruction}"
    )
    system: str | None = Field(
        default=None, description="how a system text is framed, with {system}, where a prompt says {system}"
    )
    default_system: str | None = Field(
        default=None, min_length=1, description="the system text of rows that have none of their own"
    )
    answer: str | None = Field(default=None, description="how an answer is framed, with {output}")
    turn: str | None = Field(default=None, description="an earlier exchange, with {prompt} and {answer}")
    separator: str | None = Field(
        default=None, description="what parts solved examples where there are no turns; a blank line when left out"
    )
    strip: bool | None = Field(default=None, description="whether texts lose their outer white space")

    @field_validator("*")
    @classmethod
    def _tokenizer_says_it_all(cls, value: Any, info: ValidationInfo) -> Any:
        field = str(info.field_name)
        if field in {"description", "chat_template"}:
            return value
        if info.data.get("chat_template") is not None:
            if value is not None:
                raise wrong("the tokenizer's chat template says it all; remove this, or chat_template")
        elif value is None and field in {"response_split", "prompt_input", "prompt_no_input"}:
            raise wrong("missing; add it")
        return value

    @field_validator("response_split")
    @classmethod
    def _split_is_visible(cls, text: str | None) -> str | None:
        if text is not None and not text.strip():
            raise wrong("blank; give the text after which the answer comes")
        return text

    @field_validator("response_split", "default_system", "separator", *PLACEHOLDERS)
    @classmethod
    def _line_breaks_are_real(cls, text: str | None) -> str | None:
        if text is not None and "\\n" in text:
            raise wrong(r"holds a backslash and an n, which the model would read as such; in JSON write \n, not \\n")
        return text

    @field_validator(*PLACEHOLDERS)
    @classmethod
    def _placeholders_are_plain(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is None:
            return text
        field = str(info.field_name)
        wanted, found = WANTED[field], _placeholders(text)
        allowed = set(PLACEHOLDERS[field]) - ({"input"} if field == "prompt_no_input" else set())
        for name in wanted:
            if name not in found:
                raise wrong(f"{{{name}}} is missing; write it where the {name} goes")
        for name in found:
            if name not in allowed:
                listed = " and ".join(f"{{{each}}}" for each in sorted(allowed))
                raise wrong(f"{{{name}}} is no placeholder here; use {listed}, and write a literal brace twice")
        for name in REQUIRED.get(field, ()):
            if found.count(name) > 1:
                raise wrong(f"{{{name}}} is here {found.count(name)} times; write it once")
        split = info.data.get("response_split")
        if field.startswith("prompt") and split is not None and split.strip() not in text:
            raise wrong(f"does not hold response_split ({split.strip()}); end the prompt with it")
        return text

    @model_validator(mode="after")
    def _texts_agree(self) -> PromptTemplate:
        if self.chat_template is None:
            found = [((field,), getattr(self, field), remedy) for field, remedy in contradictions(dict(self))]
            if found:
                raise wrong_at(found)
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, as_plain_data: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # What is left out stays out, so that a field that a later version adds changes no fingerprint.
        return {name: value for name, value in as_plain_data(self).items() if value is not None}


def _placeholders(text: str) -> list[str]:
    try:
        return [
            name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            for _, name, spec, conversion in Formatter().parse(text)
            if name is not None
        ]
    except ValueError as error:
        raise wrong(f"broken braces ({error}); write a literal brace twice") from error
