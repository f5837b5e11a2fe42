"""Conversations as rows: every answer of the assistant, with what was said before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rc_pipeline.corpora.inventory import RawFile
from rc_pipeline.corpora.readers import BadRow, Row, text_fault
from rc_pipeline.corpora.records import read_records

USER, ASSISTANT, SYSTEM, TOOL = "user", "assistant", "system", "tool"
BETWEEN_TURNS = "\n\n"
# Every row repeats what was said before it, so the rows of a conversation grow with the square of its length.
MAX_HISTORY_TURNS = 1000
MAX_HISTORY_CHARACTERS = 1 << 18
_TOOL_FIELDS = ("tool_calls", "function_call")


@dataclass(frozen=True)
class Layout:
    """What a format calls the list of turns, who speaks, what is said, and the speakers."""

    turns: str
    role: str
    text: str
    sides: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why a conversation cannot be used from a turn on."""

    reason: str
    at: int
    field: str
    value: object


@dataclass(slots=True)
class _Said:
    """Turns of one side that follow one another."""

    side: str
    at: int
    texts: list[str]
    # OpenAI marks an answer with weight 0 that is there to be read and not to be learnt.
    learnt: bool


@dataclass(slots=True)
class _Before:
    """What was said before an answer."""

    system: str | None = None
    history: list[list[str]] = field(default_factory=list)
    question: _Said | None = None
    joined: int = 0
    characters: int = 0

    def is_too_long(self) -> bool:
        """Tell whether no row should repeat all this."""
        return 2 * len(self.history) > MAX_HISTORY_TURNS or self.characters > MAX_HISTORY_CHARACTERS


def read_conversations(file: RawFile, layout: Layout) -> Iterator[Row | BadRow]:
    """Yield a row for every answer; a conversation is used up to its first fault."""
    for number, row in enumerate(read_records(file)):
        if isinstance(row, BadRow):
            yield row
            continue
        name, turns = layout.turns, row.fields.get(layout.turns)
        system = row.fields.get("system") or None
        if not isinstance(turns, list) or not turns:
            reason = "missing_field" if turns is None else "not_a_list" if turns else "no_turns"
            yield BadRow(reason, row.file, row.line, name, str(turns), row.fields)
        elif system is not None and (fault := text_fault(system)):
            yield BadRow(fault, row.file, row.line, "system", str(system), row.fields)
        else:
            yield from _Conversation(layout, row, number, turns).rows(system)


class _Conversation:
    """The turns of one conversation."""

    def __init__(self, layout: Layout, row: Row, number: int, turns: list[Any]) -> None:
        self._layout, self._row, self._number, self._turns = layout, row, number, turns

    def rows(self, system: str | None) -> Iterator[Row | BadRow]:
        """Yield the answers in their order, then what could not be used."""
        said, fault = self._said()
        before = _Before(system)
        for one in said:
            if one.side == SYSTEM:
                before.system = BETWEEN_TURNS.join([*filter(None, [system]), *one.texts])
                before.joined += len(one.texts) - 1
            elif one.side == USER:
                before.question = one
                before.joined += len(one.texts) - 1
            else:
                yield self._answer(one, before)
        if fault is not None:
            yield from self._lost(fault)
        elif before.question is not None:
            yield self._bad("question_without_answer", before.question.at)
        elif said[-1].side == SYSTEM:
            yield self._bad("no_turns", said[-1].at)

    def _said(self) -> tuple[list[_Said], _Fault | None]:
        """Return what each side said in turn, up to the first fault."""
        said: list[_Said] = []
        for at, turn in enumerate(self._turns):
            found = self._read(turn, at)
            if isinstance(found, _Fault):
                return said, found
            if found.side == SYSTEM and said and said[-1].side != SYSTEM:
                return said, _Fault("late_system_turn", at, self._layout.role, turn[self._layout.role])
            if said and said[-1].side == found.side:
                said[-1].texts += found.texts
                said[-1].learnt &= found.learnt
            else:
                said.append(found)
        return said, None

    def _read(self, turn: Any, at: int) -> _Said | _Fault:
        role, text = self._layout.role, self._layout.text
        if not isinstance(turn, dict):
            return _Fault("not_an_object", at, "", turn)
        side, called = self._side(turn), next((name for name in _TOOL_FIELDS if turn.get(name)), None)
        if side == TOOL or called:
            return _Fault("tool_turn", at, called or role, turn[called or role])
        absent = next((name for name in (role, text) if turn.get(name) is None), None)
        if absent:
            return _Fault("missing_field", at, absent, "")
        if side is None:
            return _Fault("unknown_role", at, role, turn[role])
        words = _joined_parts(turn[text])
        reason = text_fault(words) or ("" if words.strip() else "empty_turn")
        if reason:
            return _Fault(reason, at, text, turn[text])
        return _Said(side, at, [words], turn.get("weight") != 0)

    def _side(self, turn: Any) -> str | None:
        role = turn.get(self._layout.role) if isinstance(turn, dict) else None
        return self._layout.sides.get(role.strip().lower()) if isinstance(role, str) else None

    def _answer(self, said: _Said, before: _Before) -> Row | BadRow:
        asked, before.question = before.question, None
        joined, before.joined = before.joined + len(said.texts) - 1, 0
        if asked is None:
            return self._bad("answer_without_question", said.at)
        question, answer = (BETWEEN_TURNS.join(texts) for texts in (asked.texts, said.texts))
        if before.is_too_long():
            return self._bad("history_too_long", said.at)
        history = list(before.history)
        before.history.append([question, answer])
        before.characters += len(question) + len(answer)
        if not said.learnt:
            return self._bad("weight_is_0", said.at)
        fields: dict[str, Any] = {"instruction": question, "input": "", "output": answer}
        fields |= {"system": before.system, "history": history, "joined_turns": joined}
        return Row(fields, self._row.file, self._row.line, f"{self._number}.{said.at}")

    def _lost(self, fault: _Fault) -> Iterator[BadRow]:
        """Set aside every answer that comes after a fault, and the fault itself when there is none."""
        after = [at for at in range(fault.at, len(self._turns)) if self._side(self._turns[at]) == ASSISTANT]
        place = ".".join(filter(None, [self._place(fault.at), fault.field]))
        for at in after or [fault.at]:
            yield BadRow(fault.reason, self._row.file, self._row.line, place, str(fault.value), self._turns[at])

    def _bad(self, reason: str, at: int) -> BadRow:
        turn = self._turns[at]
        said = str(turn[self._layout.text])
        return BadRow(reason, self._row.file, self._row.line, self._place(at), said, turn)

    def _place(self, at: int) -> str:
        return f"{self._layout.turns}[{at}]"


def _joined_parts(content: Any) -> Any:
    """Return the text of content that is a list of text parts; anything else as it is."""
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        texts = [part.get("text") for part in content]
        return "".join(texts) if all(isinstance(text, str) for text in texts) else content
    return content
