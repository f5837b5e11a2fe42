"""Instructions as token ids and labels: one path for training, prediction, chat and export."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from rc_pipeline.prompting.dialogue import Form, RowRefused, read_dialogue, row_name
from rc_pipeline.prompting.fitting import FittingRow, fit
from rc_pipeline.prompting.tokens import TextEncoder

if TYPE_CHECKING:
    import polars as pl
    from transformers import PreTrainedTokenizerBase

MASKED = -100
ROWS_AT_ONCE = 512

LossOn = Literal["answer", "everything"]


class PromptTooLong(RowRefused):
    """A row whose prompt does not fit even when nothing of its passage, examples and history is left."""


@dataclass(frozen=True)
class Encoded:
    """One row as a model sees it: the first `masked` ids teach nothing; what did not fit is counted."""

    ids: Sequence[int]
    masked: int
    prompt_tokens: int
    passage_tokens_cut: int = 0
    passage_characters_kept: int = 0
    shots_dropped: int = 0
    turns_dropped: int = 0

    @property
    def labels(self) -> list[int]:
        """The ids, and -100 where no loss is taken."""
        return [MASKED] * self.masked + list(self.ids[self.masked :])

    def compact(self) -> Encoded:
        """Return the same with four bytes an id, to be kept."""
        return replace(self, ids=array("i", self.ids))


@dataclass(frozen=True)
class _Limits:
    max_tokens: int
    room_for_answer: int
    loss_on: str
    with_answer: bool

    def __post_init__(self) -> None:
        if self.max_tokens < 1 or self.room_for_answer < 0:
            raise ValueError(
                f"max_tokens {self.max_tokens} and room_for_answer {self.room_for_answer}: "
                "the first must be positive and the second not negative"
            )
        if self.loss_on not in ("answer", "everything"):
            raise ValueError(f"loss_on: {self.loss_on!r} is neither 'answer' nor 'everything'")


def render(row: Mapping[str, Any], form: Form, *, with_answer: bool = False) -> str:
    """Return a row's whole prompt as text, with its answer where asked; nothing is cut."""
    text = form.compose(read_dialogue(row)).text()
    if not with_answer:
        return text
    before, after = form.around_answer()
    return f"{text}{before}{row['output']}{after}"


def encode(  # noqa: PLR0913
    row: Mapping[str, Any],
    tokenizer: PreTrainedTokenizerBase,
    form: Form,
    *,
    max_tokens: int,
    room_for_answer: int = 0,
    loss_on: str = "answer",
    with_answer: bool = True,
) -> Encoded:
    """Encode one row; with an output (and `with_answer`) for training, else its prompt alone; raises RowRefused."""
    limits = _Limits(max_tokens, room_for_answer, loss_on, with_answer)
    encoded = _encode_rows([row], TextEncoder(tokenizer, form), limits)[0]
    if isinstance(encoded, RowRefused):
        raise encoded
    return encoded


def encode_each(  # noqa: PLR0913
    rows: pl.DataFrame | Iterable[Mapping[str, Any]],
    tokenizer: PreTrainedTokenizerBase,
    form: Form,
    *,
    max_tokens: int,
    room_for_answer: int = 0,
    loss_on: str = "answer",
    with_answer: bool = True,
) -> Iterator[Encoded | RowRefused]:
    """Encode rows in order, a few hundred at a time; a row that the prompt cannot hold has the reason in its place."""
    limits = _Limits(max_tokens, room_for_answer, loss_on, with_answer)
    encoder = TextEncoder(tokenizer, form)
    return (encoded for batch in _batches(rows) for encoded in _encode_rows(batch, encoder, limits))


def exact_spans(
    examples: Iterable[tuple[Encoded, str]], tokenizer: PreTrainedTokenizerBase, form: Form
) -> Iterator[bool]:
    """Tell of each example whether what the loss is taken on reads as its output and the end, nothing else.

    With the loss on everything the prompt is learnt too, but for what the tokenizer put in front.
    """
    encoder = TextEncoder(tokenizer, form)
    waiting = iter(examples)
    while batch := list(islice(waiting, ROWS_AT_ONCE)):
        spans = [encoded.ids[encoded.prompt_tokens :] for encoded, _ in batch]
        read = encoder.read_as(spans, [output for _, output in batch])
        for (encoded, _), exact in zip(batch, read, strict=True):
            yield exact and encoded.masked in {encoded.prompt_tokens, encoder.front_tokens}


def _batches(rows: pl.DataFrame | Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    # Asked by name: importing polars takes longer than encoding a few hundred rows.
    waiting = iter(rows.iter_rows(named=True) if hasattr(rows, "iter_rows") else rows)
    while batch := list(islice(waiting, ROWS_AT_ONCE)):
        yield batch


def _encode_rows(
    batch: Sequence[Mapping[str, Any]], encoder: TextEncoder, limits: _Limits
) -> list[Encoded | RowRefused]:
    outputs = [row.get("output") if limits.with_answer else None for row in batch]
    answers = iter(encoder.answers([str(output) for output in outputs if output is not None]))
    found: list[FittingRow | RowRefused] = []
    for row, output in zip(batch, outputs, strict=True):
        answer = [] if output is None else next(answers)
        try:
            found.append(_read(row, answer, limits, encoder))
        except RowRefused as refused:
            found.append(RowRefused(refused.reason, f"{row_name(row)}: {refused}"))
    fit([row for row in found if isinstance(row, FittingRow)], encoder)
    return [row if isinstance(row, RowRefused) else _outcome(row, limits, encoder.front_tokens) for row in found]


def _read(row: Mapping[str, Any], answer: list[int], limits: _Limits, encoder: TextEncoder) -> FittingRow:
    if not encoder.can_write(answer):
        raise RowRefused(
            "answer_cannot_be_written",
            f"output: {row['output']!r} has characters that the tokenizer has no token for; use another model for it",
        )
    dialogue = read_dialogue(row)
    start, end = row.get("passage_start"), row.get("passage_end")
    if start is None or end is None or not 0 <= start <= end <= len(dialogue.input):
        start = end = 0
    budget = limits.max_tokens - limits.room_for_answer - len(answer)
    return FittingRow(row_name(row), dialogue, encoder.form.compose(dialogue), start, end, answer, budget)


def _outcome(row: FittingRow, limits: _Limits, front_tokens: int) -> Encoded | PromptTooLong:
    if not row.fits:
        room = f", {len(row.answer)} for the answer" if row.answer else ""
        room += f", {limits.room_for_answer} kept free" if limits.room_for_answer else ""
        return PromptTooLong(
            "prompt_too_long",
            f"{row.name}: the prompt has {row.uncut} tokens, {len(row.ids)} without all that may be cut{room}, "
            f"and max_tokens is {limits.max_tokens}; raise max_tokens or shorten the template",
        )
    return Encoded(
        row.ids + row.answer,
        masked=len(row.ids) if limits.loss_on == "answer" else front_tokens,
        prompt_tokens=len(row.ids),
        passage_tokens_cut=row.passage_tokens_cut,
        passage_characters_kept=row.passage_characters_kept,
        shots_dropped=row.shots_dropped,
        turns_dropped=row.turns_dropped,
    )
