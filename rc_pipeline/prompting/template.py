"""Prompt templates: how an instruction and its input become the text that a model reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from string import Formatter

PLACEHOLDERS = ("instruction", "input")
FIELDS = ("prompt_input", "prompt_no_input", "response_split")


class PromptError(ValueError):
    """A prompt template that cannot be used as it stands."""


@dataclass(frozen=True)
class Prompt:
    """A template in alpaca-lora's format: literal braces are doubled, as in str.format."""

    name: str
    prompt_input: str
    prompt_no_input: str
    response_split: str

    def __post_init__(self) -> None:
        problems = [problem for field in FIELDS[:2] for problem in _problems(self.name, field, getattr(self, field))]
        if problems:
            raise PromptError("\n".join(problems))

    @classmethod
    def from_dict(cls, data: Mapping[str, object], name: str | None = None) -> Prompt:
        """Read a template as its JSON file holds it; other keys, such as a description, are left aside."""
        name = name if name is not None else str(data.get("name", "prompt"))
        wrong = [field for field in FIELDS if not isinstance(data.get(field), str)]
        if wrong:
            raise PromptError(
                "\n".join(f"prompt {name}: {field}: {data.get(field)!r} is no text; write a string" for field in wrong)
            )
        return cls(name, *(str(data[field]) for field in FIELDS))

    def to_dict(self) -> dict[str, str]:
        """Return the template as plain data that `from_dict` reads back."""
        return {"name": self.name, **{field: getattr(self, field) for field in FIELDS}}

    def render(self, instruction: str, input: str) -> str:
        """Return the prompt's text; an input without a visible character selects `prompt_no_input`."""
        return self.fill(instruction, input, with_input=has_text(input))

    def fill(self, instruction: str, input: str, *, with_input: bool) -> str:
        """Fill the template that `with_input` selects, whatever the input holds."""
        values = {"instruction": instruction, "input": input}
        pieces = _pieces(self.prompt_input if with_input else self.prompt_no_input)
        return "".join(literal if field is None else values[field] for literal, field in pieces)

    def input_position(self, instruction: str) -> int:
        """Return where the input begins in the text that `prompt_input` makes, -1 when it has no place there."""
        position = 0
        for literal, field in _pieces(self.prompt_input):
            if field == "input":
                return position
            position += len(literal) if field is None else len(instruction)
        return -1

    def literal_text(self) -> str:
        """Return the text that is the template's own."""
        texts = (self.prompt_input, self.prompt_no_input)
        return "\n".join(literal for text in texts for literal, field in _pieces(text) if field is None)


def has_text(text: str) -> bool:
    """Tell whether there is anything to read: "0" is text, blank lines are not."""
    return bool(text.strip())


@lru_cache(maxsize=256)
def _pieces(text: str) -> tuple[tuple[str, str | None], ...]:
    """Split a template once into (literal, None) and ("", field) pieces, so that no row is ever parsed."""
    pieces: list[tuple[str, str | None]] = []
    for literal, field, _, _ in Formatter().parse(text):
        if literal:
            pieces.append((literal, None))
        if field is not None:
            pieces.append(("", field))
    return tuple(pieces)


def _problems(name: str, field: str, text: str) -> list[str]:
    place = f"prompt {name}: {field}"
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        return [f"{place}: {text!r}: {error}; write a literal brace twice: {{{{ or }}}}"]
    allowed = "{instruction} and {input}"
    problems = []
    for _, placeholder, spec, conversion in parsed:
        if placeholder is not None and (placeholder not in PLACEHOLDERS or spec or conversion):
            shown = placeholder + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            problems.append(f"{place}: {{{shown}}} is not one of {allowed}; write a literal brace twice: {{{{ or }}}}")
    return problems
