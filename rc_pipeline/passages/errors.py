"""What stops passages from being chosen."""

from __future__ import annotations


class PassagesError(ValueError):
    """Tables or settings from which no passages can be made; the message says what to change."""
