"""A row as token after token: masked or trained, special or not, and what was cut where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from rc_pipeline.prompting.dialogue import Form

NO_LIMIT = 1 << 40
# A character whose bytes are not all there yet; the longest takes four, and a space mark may stand before it.
UNFINISHED, LONGEST_CHARACTER = "\ufffd", 5


@dataclass(frozen=True)
class Token:
    """A text and the ids that write it: several where a character is written in pieces."""

    text: str
    ids: tuple[int, ...]
    pieces: tuple[str, ...]
    trained: bool
    special: bool


@dataclass(frozen=True)
class Cut:
    """Text that did not fit, and the token in front of which it would stand."""

    at: int
    text: str
    tokens: int


@dataclass(frozen=True)
class Limits:
    """How long a row may be, what is learnt of it, and whether its answer is there (training) or asked for."""

    max_tokens: int
    loss_on: str = "answer"
    with_answer: bool = True
    new_tokens: int = 0


@dataclass(frozen=True)
class Xray:
    """One row in one prompt template, as a tokenizer reads it."""

    row: Mapping[str, Any]
    limits: Limits
    tokens: list[Token] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    refused: str = ""


def xray(row: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast, form: Form, limits: Limits) -> Xray:
    """Encode a row as training or prediction does, and tell its tokens apart."""
    from rc_pipeline.prompting.dialogue import RowRefused
    from rc_pipeline.prompting.encoding import encode

    def encoded(max_tokens: int) -> Any:
        room = _room(row, tokenizer, form, limits)
        return encode(
            row, tokenizer, form, max_tokens=max_tokens, room_for_answer=room, loss_on=limits.loss_on,
            with_answer=limits.with_answer,
        )  # fmt: skip

    try:
        seen = encoded(limits.max_tokens)
    except RowRefused as refused:
        return Xray(row, limits, refused=str(refused))
    tokens = list(_tokens(list(seen.ids), seen.masked, seen.prompt_tokens, tokenizer))
    lost = seen.passage_tokens_cut + seen.shots_dropped + seen.turns_dropped
    cuts = list(_cuts(list(encoded(NO_LIMIT).ids), list(seen.ids), tokens, tokenizer)) if lost else []
    counts = {
        "tokens": len(seen.ids),
        "masked": seen.masked,
        "trained": len(seen.ids) - seen.masked,
        "passage tokens cut": seen.passage_tokens_cut,
        "examples dropped": seen.shots_dropped,
        "turns dropped": seen.turns_dropped,
    }
    if not limits.with_answer:
        counts |= {"masked": len(seen.ids), "trained": 0}
    return Xray(row, limits, tokens, cuts, counts)


def _room(row: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast, form: Form, limits: Limits) -> int:
    """Return the tokens that prediction keeps free: those of the longest option, or of an answer in free text."""
    from rc_pipeline.prompting.tokens import TextEncoder

    if limits.with_answer:
        return 0
    options = list(row.get("choices") or [])
    return max(map(len, TextEncoder(tokenizer, form).answers(options))) if options else limits.new_tokens


def _tokens(ids: list[int], masked: int, prompt_tokens: int, tokenizer: PreTrainedTokenizerFast) -> Iterator[Token]:
    """Yield the tokens in order; ids whose bytes make one character together are one token."""
    special = {*tokenizer.all_special_ids, *(i for i, t in tokenizer.added_tokens_decoder.items() if t.special)}
    # A token ends where the mask or the prompt does, whatever is left of a character.
    borders = {masked, prompt_tokens, len(ids)}
    before: list[int] = []
    waiting: list[int] = []
    for at, each in enumerate(ids, start=1):
        waiting.append(each)
        # What stands before decides about spaces, so it is read along.
        start, whole = _text(before, tokenizer), _text(before + waiting, tokenizer)
        if whole.endswith(UNFINISHED) and at not in borders and len(waiting) < LONGEST_CHARACTER:
            continue
        text = whole[len(start) :] if whole.startswith(start) else _text(waiting, tokenizer)
        pieces = tuple(map(str, tokenizer.convert_ids_to_tokens(waiting)))
        yield Token(text, tuple(waiting), pieces, trained=at > masked, special=each in special)
        before, waiting = waiting, []


def _cuts(
    whole: list[int], kept: list[int], tokens: Sequence[Token], tokenizer: PreTrainedTokenizerFast
) -> Iterator[Cut]:
    """Yield what the whole prompt has and the fitted one has not, by the token that it would stand before."""
    shorter = len(kept)
    start = next((i for i in range(shorter) if whole[i] != kept[i]), shorter)
    same_end = next((i for i in range(shorter - start) if whole[-1 - i] != kept[-1 - i]), shorter - start)
    lost, left = whole[start : len(whole) - same_end], kept[start : shorter - same_end]
    spans = [(0, len(lost), 0, 0)]
    if left:
        matched = SequenceMatcher(None, lost, left, autojunk=False).get_opcodes()
        spans = [each[1:] for each in matched if each[0] in ("delete", "replace")]
    # Which token each id belongs to, and the end behind all of them.
    token_of = [*chain.from_iterable([n] * len(token.ids) for n, token in enumerate(tokens)), len(tokens)]
    for begin, end, at, until in spans:
        # At a cut, what is left may be written in other tokens.
        yield Cut(token_of[start + at], _text(lost[begin:end], tokenizer), end - begin - (until - at))


def _text(ids: list[int], tokenizer: PreTrainedTokenizerFast) -> str:
    return str(tokenizer.backend_tokenizer.decode(ids, skip_special_tokens=False))
