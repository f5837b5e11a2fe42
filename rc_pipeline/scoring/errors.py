"""What cannot be scored, said so that a person can mend it."""

from __future__ import annotations

from collections.abc import Sequence


class ScoringError(ValueError):
    """Predictions or instructions that cannot be scored as they are."""


def some(names: Sequence[str], most: int = 3) -> str:
    """Return the first of many names."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
