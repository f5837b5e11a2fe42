"""The forms of an export: what each says of an instruction, as SQL over the instructions' Parquet."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

# The request and its material are one message where a format has no place of its own for the latter.
REQUEST = "instruction || CASE WHEN trim(input) = '' THEN '' ELSE chr(10) || chr(10) || input END"
# What stands in for a column that an instruction set was built without.
WITHOUT = {"system": "NULL::VARCHAR", "history": "[]::VARCHAR[][]"}


@dataclass(frozen=True)
class Layout:
    """One form: its files, whether a row needs an answer to be in it, and how LLaMA-Factory is told to read it."""

    suffix: str
    copy: str
    needs_output: bool = True
    select: str = "*"
    # Columns that are written only where a row has something in them: readers guess types from the first rows.
    optional: dict[str, str] = field(default_factory=dict)
    reading: dict[str, Any] = field(default_factory=dict)

    def projection(self, used: Collection[str]) -> str:
        """Return what to select, given the optional columns in which some row says something."""
        return ", ".join([self.select, *(sql for name, sql in self.optional.items() if name in used)])

    def entry(self, file: str, used: Collection[str]) -> dict[str, Any]:
        """Return how LLaMA-Factory is told to read a file."""
        columns = self.reading["columns"] | {name: name for name in self.optional if name in used}
        return {"file_name": file, **self.reading, "columns": columns}


def _turns(list_name: str, role: str, text: str, sides: tuple[str, str, str], earlier_answer: str = "") -> str:
    """Return the SQL of a conversation: the system's text, the turns before, the request and its answer."""
    system, user, assistant = sides

    def said(side: str, words: str, more: str = "") -> str:
        return f"to_json({{'{role}': '{side}', '{text}': {words}{more}}})"

    before = f"[{said(user, 'turn[1]')}, {said(assistant, 'turn[2]', earlier_answer)}]"
    return (
        f"list_concat(list_concat("
        f"CASE WHEN coalesce(trim(system), '') = '' THEN [] ELSE [{said(system, 'system')}] END, "
        f"flatten(list_transform(coalesce(history, []), lambda turn: {before}))), "
        f"[{said(user, REQUEST)}, {said(assistant, 'output')}]) AS {list_name}"
    )


_JSON_LIST = "COPY shown TO $file (FORMAT json, ARRAY true)"
_JSON_LINES = "COPY shown TO $file (FORMAT json)"
_PARQUET = "COPY shown TO $file (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 16384)"
_SHAREGPT = ("system", "human", "gpt")
_OPENAI = ("system", "user", "assistant")
_ALPACA = Layout(
    suffix=".json",
    copy=_JSON_LIST,
    select="instruction, input, output",
    optional={"system": "coalesce(system, '') AS system", "history": "coalesce(history, []) AS history"},
    reading={"formatting": "alpaca", "columns": {"prompt": "instruction", "query": "input", "response": "output"}},
)


def _reading(messages: str, role: str, text: str, sides: tuple[str, str, str]) -> dict[str, Any]:
    tags = {"role_tag": role, "content_tag": text}
    tags |= dict(zip(("system_tag", "user_tag", "assistant_tag"), sides, strict=True))
    return {"formatting": "sharegpt", "columns": {"messages": messages}, "tags": tags}


LAYOUTS: dict[str, Layout] = {
    "alpaca": _ALPACA,
    "sharegpt": Layout(
        suffix=".json",
        copy=_JSON_LIST,
        select=f"instruction_id AS id, {_turns('conversations', 'from', 'value', _SHAREGPT)}",
        reading=_reading("conversations", "from", "value", _SHAREGPT),
    ),
    "openai": Layout(
        suffix=".jsonl",
        copy=_JSON_LINES,
        # Earlier answers are there to be read: a row teaches its last one, here as in training.
        select=_turns("messages", "role", "content", _OPENAI, earlier_answer=", 'weight': 0"),
        reading=_reading("messages", "role", "content", _OPENAI),
    ),
    "parquet": Layout(suffix=".parquet", copy=_PARQUET, needs_output=False),
    # Its own Parquet reader runs ahead by up to a gigabyte, so it is given a stream of Arrow batches.
    "datasets": Layout(suffix=".arrow", copy="", needs_output=False),
    "llama_factory": _ALPACA,
}
