"""Prompts made to fit: examples go first, the farthest before the nearer ones, then the oldest turns, then passage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from rc_pipeline.prompting.cutting import CutSearch, cut_places
from rc_pipeline.prompting.dialogue import Composed, Dialogue
from rc_pipeline.prompting.tokens import TextEncoder


@dataclass
class FittingRow:
    """A row on its way: what it says, how long it may be, and the ids found for it."""

    name: str
    dialogue: Dialogue
    prompt: Composed
    # The passage's place in the input; equal where there is none.
    start: int
    end: int
    answer: list[int]
    budget: int
    ids: list[int] = field(default_factory=list)
    uncut: int = 0
    passage_tokens_cut: int = 0
    passage_characters_kept: int = field(init=False)
    shots_dropped: int = 0
    turns_dropped: int = 0

    def __post_init__(self) -> None:
        self.passage_characters_kept = self.end - self.start

    @property
    def fits(self) -> bool:
        """Whether the ids found so far are short enough."""
        return len(self.ids) <= self.budget

    def keep(self, exchanges: int) -> None:
        """Drop all examples and turns but the nearest."""
        kept = self.dialogue.nearest(exchanges)
        self.shots_dropped = len(self.dialogue.shots) - len(kept.shots)
        self.turns_dropped = len(self.dialogue.history) - len(kept.history)
        self.dialogue = kept

    def cut(self, passage_characters: int) -> Dialogue:
        """Return the dialogue with the passage's first characters."""
        words = self.dialogue.input
        return replace(self.dialogue, input=words[: self.start + passage_characters] + words[self.end :])


Search = tuple[FittingRow, CutSearch, Callable[[int], Dialogue]]


def fit(rows: Sequence[FittingRow], encoder: TextEncoder) -> None:
    """Find the ids of every row's prompt, as long as they may be; a row that stays too long keeps its shortest."""
    for row, ids in zip(rows, encoder.prompts([encoder.text(row.prompt) for row in rows]), strict=True):
        row.ids, row.uncut = ids, len(ids)
    crowded = [row for row in rows if not row.fits and row.dialogue.exchanges()]
    dropping: list[Search] = [
        (row, CutSearch.halving(list(range(row.dialogue.exchanges())), row.budget), row.dialogue.nearest)
        for row in crowded
    ]
    _settle(dropping, encoder)
    for row, search, _ in dropping:
        row.keep(max(0, search.fits))
    long = [row for row in rows if not row.fits and row.end > row.start]
    whole = [len(row.ids) for row in long]
    prompts = [encoder.form.compose(row.dialogue) for row in long]
    ends = encoder.token_ends([encoder.text(prompt) for prompt in prompts])
    cutting: list[Search] = [
        (row, _places(row, encoder.input_at(prompt), own_ends), row.cut)
        for row, prompt, own_ends in zip(long, prompts, ends, strict=True)
    ]
    _settle(cutting, encoder)
    for (row, search, _), tokens in zip(cutting, whole, strict=True):
        row.passage_tokens_cut = tokens - len(row.ids)
        row.passage_characters_kept = search.places[max(0, search.fits)]


def _places(row: FittingRow, input_at: int | None, token_ends: Sequence[int]) -> CutSearch:
    """Return the search among the places where the row's passage may be cut."""
    ends = [] if input_at is None else [end - input_at - row.start for end in token_ends]
    places = cut_places(row.dialogue.input[row.start : row.end], ends)
    return CutSearch.starting_from(places, row.budget, tokens=len(row.ids))


def _settle(searches: list[Search], encoder: TextEncoder) -> None:
    """Try one place of every row that is too long at a time, until all are settled."""
    while searches:
        texts = [encoder.text(encoder.form.compose(at(search.places[search.guess]))) for _, search, at in searches]
        for (row, search, _), ids in zip(searches, encoder.prompts(texts), strict=True):
            # The shortest is kept too: when even that is too long, it says by how much.
            if len(ids) <= row.budget or search.guess == 0:
                row.ids = ids
            search.tell(len(ids))
        searches = [each for each in searches if not each[1].done]
