"""Questions as a model reads them: prompt ids, the ids of each option, and why a row cannot be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

from rc_pipeline.prediction.letters import labels_of
from rc_pipeline.prediction.stopping import marks_of

if TYPE_CHECKING:
    import polars as pl
    from transformers import PreTrainedTokenizerFast

    from rc_pipeline.prompting.dialogue import Form, RowRefused
    from rc_pipeline.prompting.encoding import Encoded

COLUMNS = [
    "instruction_id",
    "row_id",
    "template",
    "instruction",
    "input",
    "passage_start",
    "passage_end",
    "choices",
    "order",
]
# Not every dataset speaks of these.
MORE_COLUMNS = ["system", "history", "dataset", "group", "answer_after", "output"]


class NothingToAsk(ValueError):
    """An evaluation set without a row."""


@dataclass(frozen=True)
class Question:
    """One row to predict; `options` is empty when the answer is free text, `labels` where options show none."""

    instruction_id: str
    row_id: str
    template: str
    choices: list[str]
    prompt_ids: list[int]
    options: list[list[int]]
    labels: list[list[int]] = field(default_factory=list)
    # The right answer, where it is asked for and fits behind the prompt.
    gold: list[int] = field(default_factory=list)
    marks: tuple[str, ...] = ()
    passage_tokens_cut: int = 0
    passage_characters_kept: int = 0
    shots_dropped: int = 0
    turns_dropped: int = 0
    problem: str | None = None
    answer_after: str | None = None


def select_rows(files: Sequence[str], rows: int | None) -> pl.DataFrame:
    """Return the `rows` rows of smallest `order`, sorted by instruction_id."""
    import polars as pl

    gone = [file for file in files if not Path(file).is_file()]
    if gone:
        raise FileNotFoundError(f"instructions are missing: {', '.join(gone)}. Build them first.")
    frame = pl.concat([_read(file) for file in files], how="diagonal")
    if rows is not None:
        # A question that is asked about several documents is asked about all of them.
        first = frame.select("order", "row_id").unique().sort("order", "row_id").head(rows)
        frame = frame.filter(pl.col("row_id").is_in(first["row_id"].implode()))
    if frame.is_empty():
        raise NothingToAsk(f"{', '.join(files)}: there is no row to predict. Check evaluate_on and its number of rows.")
    return frame.sort("instruction_id")


def read_questions(  # noqa: PLR0913 - by name, most of them
    frame: pl.DataFrame,
    tokenizer: PreTrainedTokenizerFast,
    form: Form,
    *,
    max_tokens: int,
    max_new_tokens: int,
    shots: Mapping[str, Any] | None = None,
    written: bool = False,
    gold: bool = False,
) -> list[Question]:
    """Encode every row, its passage cut so that the answer, or the longest of its options, fits behind it.

    Options that are chosen in writing leave room for an answer, too; `gold` asks for the right answer's ids.
    """
    from rc_pipeline.instructions.shots import with_shots
    from rc_pipeline.prompting.encoding import encode_each
    from rc_pipeline.prompting.tokens import TextEncoder

    rows = list(with_shots(frame, shots))
    encoder = TextEncoder(tokenizer, form)
    sought = [_sought(row, gold=gold) for row in rows]
    texts = sorted({text for options, right in sought for text in (*options, *right)})
    ids_of = dict(zip(texts, encoder.answers(texts), strict=True))
    # A row's own options decide its room, so that no other row of the set changes how it is cut.
    least = max_new_tokens if written else 0
    rooms = [max([least, *(len(ids_of[text]) for text in own)]) if own else max_new_tokens for own, _ in sought]
    encoded: dict[int, Encoded | RowRefused] = {}
    for room in sorted(set(rooms)):
        here = [i for i, own in enumerate(rooms) if own == room]
        outcomes = encode_each(
            [rows[i] for i in here],
            tokenizer,
            form,
            max_tokens=max_tokens,
            room_for_answer=room,
            with_answer=False,
        )
        encoded |= dict(zip(here, outcomes, strict=True))
    label_ids = lru_cache(maxsize=None)(partial(_label_ids, tokenizer))
    questions = []
    for i, (row, (options, right)) in enumerate(zip(rows, sought, strict=True)):
        own = [ids_of[text] for text in options]
        labels = [label_ids(label, tuple(ids)) for label, ids in zip(labels_of(options), own, strict=False)]
        question = Question(row["instruction_id"], row["row_id"], row["template"], options, [], own, labels)
        questions.append(_encoded(question, row, encoded[i], form))
        if right and len(questions[-1].prompt_ids) + len(ids_of[right[0]]) <= max_tokens:
            questions[-1] = replace(questions[-1], gold=ids_of[right[0]])
    return questions


def _sought(row: Mapping[str, Any], *, gold: bool) -> tuple[list[str], list[str]]:
    """Return a row's options, and where asked its right answer, if it has one."""
    right = row.get("output") if gold else None
    return list(row["choices"] or []), [] if right is None else [right]


def _encoded(question: Question, row: Mapping[str, Any], encoded: Encoded | RowRefused, form: Form) -> Question:
    if isinstance(encoded, ValueError):
        return replace(question, problem=encoded.reason)
    return replace(
        question,
        prompt_ids=list(encoded.ids),
        marks=marks_of(form, solved=len(row.get("shots") or ()) > encoded.shots_dropped),
        passage_tokens_cut=encoded.passage_tokens_cut,
        passage_characters_kept=encoded.passage_characters_kept,
        shots_dropped=encoded.shots_dropped,
        turns_dropped=encoded.turns_dropped,
        answer_after=row.get("answer_after"),
    )


def _label_ids(tokenizer: PreTrainedTokenizerFast, label: str, option: tuple[int, ...]) -> list[int]:
    """Return the first ids of an option, up to its label."""
    decode = tokenizer.backend_tokenizer.decode
    ends = (end for end in range(1, len(option)) if label in normalize("NFKC", decode(list(option[:end]))))
    return list(option[: next(ends, len(option))])


def _read(file: str) -> pl.DataFrame:
    import polars as pl

    more = [column for column in MORE_COLUMNS if column in pl.read_parquet_schema(file)]
    return pl.read_parquet(file, columns=[*COLUMNS, *more])
