"""Text made safe to look at: what moves the cursor, turns the writing or hides is spelled out."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

LINE_END = "⏎"
# Format characters (Cf) that belong to ordinary text: joiners of Indic and Arabic scripts, and of emoji.
_ORDINARY = "\u200c\u200d"


def visible(text: str) -> str:
    """Return a text with line ends marked and control characters spelled out."""
    return "".join([character if character.isalnum() or character == " " else _shown(character) for character in text])


def lines_visible(text: str) -> str:
    """Return a text of lines whose control characters are spelled out, but for the line ends and tabs."""
    return "\n".join("\t".join(map(visible, line.split("\t"))) for line in text.split("\n"))


@lru_cache(maxsize=4096)
def _shown(character: str) -> str:
    if character == "\n":
        return f"{LINE_END}\n"
    if character == "\t":
        return "⇥\t"
    code, kind = ord(character), unicodedata.category(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if kind in ("Cc", "Cs", "Zl", "Zp") or (kind == "Cf" and character not in _ORDINARY):
        return f"‹U+{code:04X}›"
    return character


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def shortened(text: str, most: int) -> str:
    """Return a text with its middle left out when it is longer than `most` characters."""
    if len(text) <= most:
        return text
    head, tail = most * 2 // 3, most // 3
    return f"{text[:head]} … {len(text) - head - tail} characters … {text[-tail:]}"
