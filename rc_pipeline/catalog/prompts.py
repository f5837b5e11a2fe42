"""Prompt templates, in alpaca-lora's JSON format."""

from __future__ import annotations

from string import Formatter

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from rc_pipeline.catalog.validation import STRICT, wrong

PLACEHOLDERS = {"prompt_input": {"instruction", "input"}, "prompt_no_input": {"instruction"}}


class PromptTemplate(BaseModel):
    """One file of catalog/prompts: an instruction and its input become the text that a model reads."""

    model_config = STRICT
    description: str = ""
    response_split: str = Field(min_length=1, description="the text after which the answer comes")
    prompt_input: str = Field(description="the prompt, with {instruction} and {input}")
    prompt_no_input: str = Field(description="the prompt for an empty input, with {instruction}")

    @field_validator("response_split")
    @classmethod
    def _split_is_visible(cls, text: str) -> str:
        if not text.strip():
            raise wrong("blank; give the text after which the answer comes")
        _reject_backslash_n(text)
        return text

    @field_validator("prompt_input", "prompt_no_input")
    @classmethod
    def _placeholders_are_plain(cls, text: str, info: ValidationInfo) -> str:
        wanted = PLACEHOLDERS[str(info.field_name)]
        found = _placeholders(text)
        for name in sorted(wanted - found):
            raise wrong(f"{{{name}}} is missing; write it where the {name} goes")
        for name in sorted(found - wanted):
            raise wrong(
                f"{{{name}}} is no placeholder here; use {' and '.join(f'{{{each}}}' for each in sorted(wanted))}, "
                "and write a literal brace twice"
            )
        _reject_backslash_n(text)
        split = info.data.get("response_split")
        if split is not None and split.strip() not in text:
            raise wrong(f"does not hold response_split ({split.strip()}); end the prompt with it")
        return text


def _placeholders(text: str) -> set[str]:
    found = set()
    try:
        for _, name, spec, conversion in Formatter().parse(text):
            if name is not None:
                found.add(name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else ""))
    except ValueError as error:
        raise wrong(f"broken braces ({error}); write a literal brace twice") from error
    return found


def _reject_backslash_n(text: str) -> None:
    if "\\n" in text:
        raise wrong(r"holds a backslash and an n, which the model would read as such; in JSON write \n, not \\n")
