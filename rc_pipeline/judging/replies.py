"""What a judge said: only a verdict that stands by itself at the end counts, never one within a quotation."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

Place = Literal["first", "second", "tie"]
PLACES: dict[str, Place] = {"a": "first", "b": "second", "tie": "tie"}
GRADES = (1, 2, 3, 4, 5)
_MARKED = re.compile(r"\[\[\s*(\w{1,5})\s*\]\]")
_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)\n\s*```\s*$", re.DOTALL)


def verdict_of(reply: str) -> Place | None:
    """Return which answer a judge calls better, None where it gives no clear verdict."""
    said = _said(reply, "verdict")
    return PLACES.get(said.strip().lower()) if isinstance(said, str) else None


def grade_of(reply: str) -> int | None:
    """Return the grade that a judge gives, None where it gives no clear one."""
    said = _said(reply, "grade")
    if isinstance(said, str) and re.fullmatch("[0-9]", said.strip()):
        said = int(said)
    return said if type(said) is int and said in GRADES else None


def _said(reply: str, field: str) -> Any:
    text = reply.strip()
    fenced = _FENCE.search(text)
    body = fenced[1].strip() if fenced else text
    # The whole reply, or what it ends with.
    for part in (body, body.splitlines()[-1].strip() if body else ""):
        marked = _MARKED.fullmatch(part)
        if marked:
            return marked[1]
        try:
            found = json.loads(part, object_pairs_hook=_unique)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found.get(field)
    return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found
