"""Where a passage may be cut, and how far it must be."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

_JOINER = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)
# Steps of the guess before the search falls back on halving.
_GUESSES = 6


def cut_places(passage: str, token_ends: Iterable[int]) -> list[int]:
    """Return the lengths that the passage may be cut to, shortest (0) first, its full length left out.

    They are the ends of tokens, but never a place inside what a reader sees as one character.
    """
    return sorted({0} | {end for end in token_ends if 0 < end < len(passage) and not _joined(passage, end)})


def _joined(text: str, place: int) -> bool:
    """Tell whether the characters on both sides of `place` belong together."""
    before, after = text[place - 1], text[place]
    if after < "\u0300":
        return before == "\r" and after == "\n"
    return (
        unicodedata.category(after).startswith("M")
        or _JOINER in (before, after)
        or ord(after) in _SKIN_TONES
        or (ord(before) in _FLAG_LETTERS and ord(after) in _FLAG_LETTERS)
    )


@dataclass
class CutSearch:
    """The search for the longest place whose prompt fits; `guess` is the place to try next."""

    places: list[int]
    budget: int
    guess: int
    fits: int = -1
    too_long: int = field(init=False)
    tried: int = 0

    def __post_init__(self) -> None:
        self.too_long = len(self.places)
        self.guess = max(0, min(self.guess, self.too_long - 1))

    @classmethod
    def starting_from(cls, places: list[int], budget: int, *, tokens: int) -> CutSearch:
        """Start where the uncut prompt's tokens say that the passage should end."""
        return cls(places, budget, len(places) - (tokens - budget))

    @classmethod
    def halving(cls, places: list[int], budget: int) -> CutSearch:
        """Start in the middle, where places are no tokens and nothing can be guessed."""
        return cls(places, budget, len(places) // 2, tried=_GUESSES)

    @property
    def done(self) -> bool:
        """Whether the last place that fits and the first that does not are neighbours."""
        return self.too_long - self.fits == 1

    def tell(self, tokens: int) -> None:
        """Take the length of the prompt cut at the guess, and choose the next guess."""
        if tokens <= self.budget:
            self.fits = self.guess
        else:
            self.too_long = self.guess
        self.tried += 1
        room = self.budget - tokens
        step = max(1, room) if room >= 0 else room
        following = self.guess + step if self.tried < _GUESSES else (self.fits + self.too_long) // 2
        self.guess = max(self.fits + 1, min(following, self.too_long - 1))
