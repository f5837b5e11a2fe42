"""What is wrong with a catalog, said so that the reader can mend it."""

from __future__ import annotations

import difflib
import json
import reprlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

VALUE_CHARACTERS = 80


@dataclass(frozen=True, order=True)
class Problem:
    """One thing to mend: where it is, what it says now, and what to do."""

    file: str
    field: str
    value: str
    remedy: str
    line: int = 0

    def __str__(self) -> str:
        file = f"{self.file}:{self.line}" if self.line else self.file
        where = ": ".join(part for part in (file, self.field) if part)
        return f"{where} = {self.value}: {self.remedy}" if self.value else f"{where}: {self.remedy}"


class CatalogError(ValueError):
    """Everything that is wrong with the catalog, one line a problem."""

    def __init__(self, problems: Collection[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def shown(value: Any) -> str:
    """Return a value as one short line."""
    # reprlib stops at a depth and a length: what an alias repeats may be endless.
    text = reprlib.repr(value) if isinstance(value, list | dict | set) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_CHARACTERS else f"{text[: VALUE_CHARACTERS - 1]}…"


def nearest(name: str, known: Collection[str]) -> str:
    """Say which of the known names is meant, or list them all."""
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(sorted(known))}" if known else "there is none yet"
