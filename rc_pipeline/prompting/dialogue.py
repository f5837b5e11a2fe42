"""What is said to a model in one row: a system text, solved examples, earlier turns and the question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

# Who wrote a piece of a prompt: the template, the row, or the row's input, whose passage may be cut.
OWN, ROW, INPUT = range(3)
Piece = tuple[str, int]


class RowRefused(ValueError):
    """A row that a prompt cannot hold; `reason` is one word to count it by."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Exchange:
    """A solved example, or an earlier turn; `system` is an example's own, for prompts without turns."""

    instruction: str
    input: str
    output: str
    system: str = ""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A row as templates read it; `with_input` is decided before any cut, so that no cut changes a prompt's form."""

    instruction: str
    input: str
    with_input: bool
    system: str = ""
    shots: tuple[Exchange, ...] = ()
    history: tuple[Exchange, ...] = ()

    def exchanges(self) -> int:
        """Return how many examples and earlier turns there are."""
        return len(self.shots) + len(self.history)

    def nearest(self, kept: int) -> Dialogue:
        """Return it with the last `kept` exchanges: examples go first, the farthest before the nearer ones."""
        dropped = self.exchanges() - kept
        return replace(self, shots=self.shots[dropped:], history=self.history[max(0, dropped - len(self.shots)) :])


class Composed(NamedTuple):
    """A prompt in pieces; `lost` counts the blank characters in front of the input that the prompt leaves out."""

    pieces: list[Piece]
    lost: int = 0

    def text(self) -> str:
        """Return the prompt as one text."""
        return "".join([text for text, _ in self.pieces])


class Form(Protocol):
    """A way to write dialogues down: a template file, or a tokenizer's own chat template."""

    @property
    def name(self) -> str:
        """What the catalog calls it."""

    @property
    def begun(self) -> bool:
        """Whether it writes the beginning of a text itself, such as BOS."""

    @property
    def ends_prompt(self) -> bool:
        """Whether a prompt is ended as a text is, for the encoder that reads it; its answer is another text."""

    @property
    def end_of_answer(self) -> str | None:
        """The special token that ends an answer; None for the tokenizer's EOS."""

    def compose(self, dialogue: Dialogue) -> Composed:
        """Write a dialogue down up to where the answer comes; raises RowRefused when it has no place for a part."""

    def around_answer(self) -> tuple[str, str]:
        """Return the template's own text before and after an answer."""

    def own_text(self) -> str:
        """Return a text that holds every special token that the template itself writes."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that makes the same form again."""


def read_dialogue(row: Mapping[str, Any]) -> Dialogue:
    """Read a row's instruction, input, system, shots and history; what is absent or null is empty."""
    words = _text(row.get("input"))
    return Dialogue(
        _text(row["instruction"]),
        words,
        has_text(words),
        _system(row.get("system")),
        tuple(_shot(shot) for shot in row.get("shots") or ()),
        tuple(_turn(turn) for turn in row.get("history") or ()),
    )


def row_name(row: Mapping[str, Any]) -> str:
    """Return what messages call a row."""
    return str(row.get("instruction_id") or row.get("row_id") or "row")


def has_text(text: str) -> bool:
    """Tell whether there is anything to read: "0" is text, blank lines are not."""
    return bool(text) and not text.isspace()


def _text(value: Any) -> str:
    # An answer of 0 or False is an answer.
    return "" if value is None else str(value)


def _system(value: Any) -> str:
    text = _text(value)
    return text if has_text(text) else ""


def _shot(shot: Mapping[str, Any]) -> Exchange:
    return Exchange(
        _text(shot["instruction"]), _text(shot.get("input")), _text(shot["output"]), _system(shot.get("system"))
    )


def _turn(turn: Sequence[Any]) -> Exchange:
    if isinstance(turn, str) or len(turn) != 2 or turn[0] is None or turn[1] is None:
        raise RowRefused("history_is_broken", f"history: {turn!r} is no pair of what was asked and what was answered")
    return Exchange(_text(turn[0]), "", _text(turn[1]))
