"""Instructions as token ids and labels, the passage cut where the prompt would not fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from rc_pipeline.prompting.cutting import CutSearch, cut_places
from rc_pipeline.prompting.template import Prompt, has_text
from rc_pipeline.prompting.tokens import TextEncoder

if TYPE_CHECKING:
    import polars as pl
    from transformers import PreTrainedTokenizerBase

MASKED = -100
ROWS_AT_ONCE = 1024

LossOn = Literal["answer", "everything"]


class PromptTooLong(ValueError):
    """Rows whose prompts do not fit even when nothing of their passages is left."""


@dataclass(frozen=True)
class Encoded:
    """One row as a model sees it; labels are -100 where no loss is taken."""

    ids: list[int]
    labels: list[int]
    prompt_tokens: int
    passage_tokens_cut: int


@dataclass(frozen=True)
class _Limits:
    max_tokens: int
    room_for_answer: int
    loss_on: str

    def __post_init__(self) -> None:
        if self.max_tokens < 1 or self.room_for_answer < 0:
            raise ValueError(
                f"max_tokens {self.max_tokens} and room_for_answer {self.room_for_answer}: "
                "the first must be positive and the second not negative"
            )
        if self.loss_on not in ("answer", "everything"):
            raise ValueError(f"loss_on: {self.loss_on!r} is neither 'answer' nor 'everything'")


@dataclass
class _Row:
    """A row on its way: what it says, and the ids found for it."""

    name: str
    instruction: str
    input: str
    start: int
    end: int
    answer: list[int]
    budget: int
    ids: list[int] = field(default_factory=list)
    uncut: int = 0

    def text(self, prompt: Prompt, passage_characters: int | None = None) -> str:
        """Render the prompt with the passage's first characters, by default with all of it."""
        shown = self.input
        if passage_characters is not None:
            shown = self.input[: self.start + passage_characters] + self.input[self.end :]
        # The uncut input chooses the template: cutting a passage away must not change the prompt's form.
        return prompt.fill(self.instruction, shown, with_input=has_text(self.input))

    def too_long(self, limits: _Limits) -> PromptTooLong:
        """Say by how much the row does not fit."""
        room = f", {len(self.answer)} for the answer" if self.answer else ""
        room += f", {limits.room_for_answer} kept free" if limits.room_for_answer else ""
        return PromptTooLong(
            f"{self.name}: the prompt has {self.uncut} tokens, {len(self.ids)} without its passage{room}, "
            f"and max_tokens is {limits.max_tokens}; raise max_tokens or shorten the template"
        )


def encode(  # noqa: PLR0913
    row: Mapping[str, Any],
    tokenizer: PreTrainedTokenizerBase,
    prompt: Prompt,
    *,
    max_tokens: int,
    room_for_answer: int = 0,
    loss_on: str = "answer",
    with_answer: bool = True,
) -> Encoded:
    """Encode one row; with an output (and `with_answer`) for training, else its prompt alone."""
    limits = _Limits(max_tokens, room_for_answer, loss_on)
    encoded = _encode_rows([row], TextEncoder(tokenizer, prompt), prompt, limits, with_answer)[0]
    if isinstance(encoded, PromptTooLong):
        raise encoded
    return encoded


def encode_many(  # noqa: PLR0913
    rows: pl.DataFrame | Iterable[Mapping[str, Any]],
    tokenizer: PreTrainedTokenizerBase,
    prompt: Prompt,
    *,
    max_tokens: int,
    room_for_answer: int = 0,
    loss_on: str = "answer",
    with_answer: bool = True,
) -> list[Encoded]:
    """Encode rows in order; raises PromptTooLong, naming the first of the rows that cannot fit."""
    outcomes = encode_each(
        rows,
        tokenizer,
        prompt,
        max_tokens=max_tokens,
        room_for_answer=room_for_answer,
        loss_on=loss_on,
        with_answer=with_answer,
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, PromptTooLong)]
    if refused:
        rest = f"\n({len(refused)} of {len(outcomes)} rows do not fit)" if len(refused) > 1 else ""
        raise PromptTooLong(f"{refused[0]}{rest}")
    return [outcome for outcome in outcomes if isinstance(outcome, Encoded)]


def encode_each(  # noqa: PLR0913
    rows: pl.DataFrame | Iterable[Mapping[str, Any]],
    tokenizer: PreTrainedTokenizerBase,
    prompt: Prompt,
    *,
    max_tokens: int,
    room_for_answer: int = 0,
    loss_on: str = "answer",
    with_answer: bool = True,
) -> list[Encoded | PromptTooLong]:
    """Encode rows in order; a row that cannot fit has its PromptTooLong in its place."""
    limits = _Limits(max_tokens, room_for_answer, loss_on)
    encoder = TextEncoder(tokenizer, prompt)
    return [
        encoded for batch in _batches(rows) for encoded in _encode_rows(batch, encoder, prompt, limits, with_answer)
    ]


def supervised_span_is_exact(encoded: Encoded, tokenizer: PreTrainedTokenizerBase, output: str) -> bool:
    """Tell whether the ids after the prompt are all supervised and read as the output and EOS, nothing else."""
    start = encoded.prompt_tokens
    span, before = encoded.labels[start:], encoded.labels[:start]
    # With the loss on everything the prompt is supervised too, the BOS in front of it aside.
    all_or_nothing = set(before) <= {MASKED} or (MASKED not in before[1:] and before[1:] == encoded.ids[1:start])
    if span != encoded.ids[start:] or not all_or_nothing:
        return False
    text = tokenizer.decode(span, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return bool(text == f"{output}{tokenizer.eos_token}")


def _batches(rows: pl.DataFrame | Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    import polars as pl

    waiting = rows.iter_rows(named=True) if isinstance(rows, pl.DataFrame) else iter(rows)
    while batch := list(islice(waiting, ROWS_AT_ONCE)):
        yield batch


def _encode_rows(
    batch: Sequence[Mapping[str, Any]],
    encoder: TextEncoder,
    prompt: Prompt,
    limits: _Limits,
    with_answer: bool,
) -> list[Encoded | PromptTooLong]:
    outputs = [row.get("output") if with_answer else None for row in batch]
    answers = iter(encoder.answers([str(output) for output in outputs if output is not None]))
    rows = [
        _read(row, [] if output is None else next(answers), limits) for row, output in zip(batch, outputs, strict=True)
    ]
    encodings = encoder.prompts([row.text(prompt) for row in rows])
    searches: list[tuple[_Row, CutSearch]] = []
    for row, encoding in zip(rows, encodings, strict=True):
        row.ids, row.uncut = encoding.ids, len(encoding.ids)
        if row.uncut > row.budget and row.end > row.start:
            start = prompt.input_position(row.instruction) + row.start
            places = cut_places(row.input[row.start : row.end], encoding.ends_after(start))
            length = row.end - row.start
            search = CutSearch.starting_from(places, row.budget, passage_length=length, tokens=row.uncut)
            searches.append((row, search))
    _cut(searches, encoder, prompt)
    return [
        row.too_long(limits) if len(row.ids) > row.budget else _label(row, limits, encoder.bos_tokens) for row in rows
    ]


def _cut(searches: list[tuple[_Row, CutSearch]], encoder: TextEncoder, prompt: Prompt) -> None:
    """Try one place of every row that is too long at a time, until all are settled."""
    while searches:
        texts = [row.text(prompt, search.places[search.guess]) for row, search in searches]
        for (row, search), encoding in zip(searches, encoder.prompts(texts), strict=True):
            # The shortest is kept too: when even an empty passage is too long, it says by how much.
            if len(encoding.ids) <= row.budget or search.guess == 0:
                row.ids = encoding.ids
            search.tell(len(encoding.ids))
        searches = [(row, search) for row, search in searches if not search.done]


def _read(row: Mapping[str, Any], answer: list[int], limits: _Limits) -> _Row:
    text = str(row.get("input") or "")
    start, end = row.get("passage_start", -1), row.get("passage_end", -1)
    if start is None or end is None or not 0 <= start <= end <= len(text):
        start = end = -1
    name = str(row.get("instruction_id") or row.get("row_id") or "row")
    budget = limits.max_tokens - limits.room_for_answer - len(answer)
    return _Row(name, str(row["instruction"] or ""), text, start, end, answer, budget)


def _label(row: _Row, limits: _Limits, bos_tokens: int) -> Encoded:
    ids = row.ids + row.answer
    masked = len(row.ids) if limits.loss_on == "answer" else bos_tokens
    return Encoded(ids, [MASKED] * masked + ids[masked:], len(row.ids), row.uncut - len(row.ids))
