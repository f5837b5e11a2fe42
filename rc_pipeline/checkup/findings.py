"""What a check-up found: one line each, with what to do where something is not as it should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "absent", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    state: State
    says: str
    remedy: str = ""


def ok(subject: str, says: str) -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(subject, "ok", says)


def absent(subject: str, says: str, remedy: str) -> Finding:
    """Return a finding that is in the way of those only who want to use it."""
    return Finding(subject, "absent", says, remedy)


def warning(subject: str, says: str, remedy: str) -> Finding:
    """Return a finding that may be as it should be."""
    return Finding(subject, "warning", says, remedy)


def problem(subject: str, says: str, remedy: str) -> Finding:
    """Return a finding that some run would fail by."""
    return Finding(subject, "problem", says, remedy)
