"""Instructions as people read them, before any tokenizer: a small preview in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rc_pipeline.xray.visible import shortened, visible

MOST_CHARACTERS = 600


def preview_markdown(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return each row as a heading and an indented text; «…» marks the passage, which is cut where a prompt is long."""
    return "\n\n".join(f"**{visible(str(row['template']))}**\n\n{_indented(_parts(row))}" for row in rows)


def _parts(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    turns = [
        (side, text) for turn in row.get("history") or [] for side, text in zip(("asked", "said"), turn, strict=True)
    ]
    output = row.get("output")
    return [
        ("system", row.get("system") or ""),
        *turns,
        ("instruction", str(row["instruction"])),
        ("input", _with_passage_marked(row)),
        ("answer", "(not known)" if output is None else str(output)),
    ]


def _with_passage_marked(row: Mapping[str, Any]) -> str:
    text, start, end = str(row.get("input") or ""), row.get("passage_start"), row.get("passage_end")
    if start is None or end is None or not 0 <= start < end <= len(text):
        return text
    return f"{text[:start]}«{shortened(text[start:end], MOST_CHARACTERS)}»{text[end:]}"


def _indented(parts: list[tuple[str, str]]) -> str:
    # An indented block needs no escapes: nothing in it can end it.
    lines = [
        f"{name if n == 0 else '':>11}  {line}"
        for name, text in parts
        if text
        for n, line in enumerate(visible(shortened(text, 2 * MOST_CHARACTERS)).replace("⏎", "").split("\n"))
    ]
    return "\n".join(f"    {line}".rstrip() for line in lines)
