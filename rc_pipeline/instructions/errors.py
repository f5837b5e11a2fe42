"""What stops an instruction set from being built."""

from __future__ import annotations

from collections.abc import Iterable

SHOWN = 10


class InstructionsError(ValueError):
    """Templates or rows from which no instructions can be made; the message says what to change."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        more = len(self.problems) - SHOWN
        lines = self.problems[:SHOWN] + ([f"... and {more} more"] if more > 0 else [])
        super().__init__("\n".join(lines))
