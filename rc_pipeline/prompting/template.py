"""Prompt templates in files: alpaca-lora's JSON format, with places for a system text and earlier turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from functools import cached_property, lru_cache
from string import Formatter
from typing import Any

from rc_pipeline.prompting.dialogue import INPUT, OWN, ROW, Composed, Dialogue, Exchange, Piece, RowRefused, has_text

# Which names stand in braces in which text; alpaca-lora's own templates know the first two alone.
PLACEHOLDERS = {
    "prompt_input": ("instruction", "input", "system", "round"),
    "prompt_no_input": ("instruction", "input", "system", "round"),
    "system": ("system",),
    "answer": ("output",),
    "turn": ("prompt", "answer"),
}
REQUIRED = {"system": ("system",), "answer": ("output",), "turn": ("prompt", "answer")}
Fields = tuple[tuple[str, str | None], ...]
# An example in a format without turns: a whole prompt and its answer.
SOLVED: Fields = (("", "prompt"), ("", "answer"))


class PromptError(ValueError):
    """A prompt template that cannot be used as it stands."""


@dataclass(frozen=True)
class Prompt:
    """A template file: literal braces are doubled, as in str.format; what each text is for, docs/catalog.md says."""

    name: str
    prompt_input: str
    prompt_no_input: str
    response_split: str
    system: str = "{system}"
    default_system: str = ""
    answer: str = "{output}"
    turn: str | None = None
    separator: str = "\n\n"
    strip: bool = False
    # Set by the model that reads it; no part of the file.
    ends_prompt: bool = False

    begun = False
    end_of_answer = None

    def __post_init__(self) -> None:
        found = [
            problem
            for field in PLACEHOLDERS
            if getattr(self, field) is not None
            for problem in problems_of(field, getattr(self, field))
        ]
        found += [] if found else [f"{field}: {remedy}" for field, remedy in contradictions(self.to_dict())]
        if found:
            raise PromptError("\n".join(f"prompt {self.name}: {problem}" for problem in found))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], name: str | None = None) -> Prompt:
        """Read a template as its JSON file holds it; other keys, such as a description, are left aside."""
        name = name if name is not None else str(data.get("name", "prompt"))
        given: dict[str, Any] = {}
        wrong = []
        for field in _in_file(cls)[1:]:
            value = data.get(field.name)
            if value is None and field.default is not MISSING:
                continue
            kind, remedy = (bool, "true or false") if field.name == "strip" else (str, "a string")
            if not isinstance(value, kind):
                wrong.append(f"prompt {name}: {field.name}: {value!r} is no text; write {remedy}")
            given[field.name] = value
        if wrong:
            raise PromptError("\n".join(wrong))
        return cls(name, **given)

    def to_dict(self) -> dict[str, Any]:
        """Return the template as plain data that `from_dict` reads back, defaults left out."""
        return {each.name: value for each in _in_file(self) if (value := getattr(self, each.name)) != each.default}

    def compose(self, dialogue: Dialogue) -> Composed:
        """Write a dialogue down up to where the answer comes."""
        self._refuse_what_has_no_place(dialogue)
        system, number = dialogue.system or self.default_system, 1
        pieces: list[Piece] = []
        for exchange in (*dialogue.shots, *dialogue.history):
            if self.turn is None:
                pieces += self._exchange(exchange, exchange.system or self.default_system, 1, SOLVED)
                pieces.append((self.separator, OWN))
            else:
                pieces += self._exchange(exchange, system, number, parse(self.turn))
                system, number = "", number + 1
        text = self.prompt_input if dialogue.with_input else self.prompt_no_input
        pieces += self._filled(parse(text), dialogue.instruction, dialogue.input, system, number)
        return Composed(pieces, len(dialogue.input) - len(dialogue.input.lstrip()) if self.strip else 0)

    def around_answer(self) -> tuple[str, str]:
        """Return the text before and after an answer."""
        parsed = parse(self.answer)
        at = parsed.index(("", "output"))
        return "".join(own for own, _ in parsed[:at]), "".join(own for own, _ in parsed[at:])

    def own_text(self) -> str:
        """Return the text that is the template's own."""
        texts = [text for field in PLACEHOLDERS if (text := getattr(self, field)) is not None]
        literals = [literal for text in texts for literal, field in parse(text) if field is None]
        return "\n".join([*literals, self.separator])

    def _exchange(self, exchange: Exchange, system: str, number: int, solved: Fields) -> Iterator[Piece]:
        """Yield an example or turn: its prompt, then its answer."""
        text = self.prompt_input if has_text(exchange.input) else self.prompt_no_input
        for literal, field in solved:
            if field == "prompt":
                asked = self._filled(parse(text), exchange.instruction, exchange.input, system, number)
                # Only the question's own passage is ever cut.
                yield from ((words, OWN if kind == OWN else ROW) for words, kind in asked)
            elif field == "answer":
                before, after = self.around_answer()
                yield from ((before, OWN), (self._bare(exchange.output), ROW), (after, OWN))
            else:
                yield literal, OWN

    def _filled(self, parsed: Fields, instruction: str, input: str, system: str, number: int) -> list[Piece]:
        pieces: list[Piece] = []
        for literal, field in parsed:
            if field is None:
                pieces.append((literal, OWN))
            elif field == "instruction":
                pieces.append((self._bare(instruction), ROW))
            elif field == "input":
                pieces.append((self._bare(input), INPUT))
            elif field == "round":
                pieces.append((str(number), OWN))
            elif system:
                pieces += [(self._bare(system), ROW) if name else (own, OWN) for own, name in parse(self.system)]
        return pieces

    def _bare(self, words: str) -> str:
        return words.strip() if self.strip else words

    @cached_property
    def _has_system(self) -> bool:
        return "system" in _names(self.prompt_input)

    def _refuse_what_has_no_place(self, dialogue: Dialogue) -> None:
        systems = [dialogue.system, *(shot.system for shot in dialogue.shots if self.turn is None)]
        if any(systems) and not self._has_system:
            raise RowRefused(
                "system_has_no_place",
                f"prompt {self.name} has no place for a system text ({next(filter(None, systems))[:60]!r}); "
                "use a prompt template with {system}, or a task template without a system text",
            )
        if dialogue.history and self.turn is None:
            raise RowRefused(
                "history_has_no_place",
                f"prompt {self.name} has no place for earlier turns ({len(dialogue.history)} of them); "
                "use a prompt template with `turn`, or leave the history out",
            )


def _in_file(prompt: Prompt | type[Prompt]) -> list[Field[Any]]:
    return [field for field in fields(prompt) if field.name != "ends_prompt"]


@lru_cache(maxsize=256)
def parse(text: str) -> Fields:
    """Split a template once into (literal, None) and ("", field) pieces, so that no row is ever parsed."""
    pieces: list[tuple[str, str | None]] = []
    for literal, field, _, _ in Formatter().parse(text):
        if literal:
            pieces.append((literal, None))
        if field is not None:
            pieces.append(("", field))
    return tuple(pieces)


def problems_of(field: str, text: str) -> list[str]:
    """Return what is wrong with one text of a template, each with its field and remedy."""
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        return [f"{field}: {text!r}: {error}; write a literal brace twice: {{{{ or }}}}"]
    allowed = PLACEHOLDERS[field]
    listed = " and ".join(f"{{{name}}}" for name in allowed)
    problems = []
    for _, placeholder, spec, conversion in parsed:
        if placeholder is not None and (placeholder not in allowed or spec or conversion):
            shown = placeholder + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            problems.append(f"{field}: {{{shown}}} is not one of {listed}; write a literal brace twice: {{{{ or }}}}")
    named = [placeholder for _, placeholder, _, _ in parsed]
    return problems + [
        f"{field}: {{{name}}} stands there {named.count(name)} times; write it once"
        for name in REQUIRED.get(field, ())
        if named.count(name) != 1
    ]


def contradictions(texts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (field, remedy) for texts, each right in itself, of which one keeps another from being said."""
    with_input, without = ("system" in _names(texts[field]) for field in ("prompt_input", "prompt_no_input"))
    if with_input != without:
        return [("prompt_no_input" if with_input else "prompt_input", "has no {system}, and the other prompt has it")]
    return [
        (field, "would never be said: prompt_input and prompt_no_input have no {system}; write it where it goes")
        for field in ("system", "default_system")
        if texts.get(field) and not with_input
    ]


def _names(text: str) -> set[str]:
    return {field for _, field in parse(text) if field is not None}
