"""Questions as a model reads them: prompt ids, the ids of each option, and why a row cannot be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.canonical import sha256_json

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
MORE_COLUMNS = ["system", "history", "dataset", "group", "answer_after"]


class NothingToAsk(ValueError):
    """An evaluation set without a row."""


@dataclass(frozen=True)
class Question:
    """One row to predict; `options` is empty when the answer is free text."""

    instruction_id: str
    row_id: str
    template: str
    choices: list[str]
    prompt_ids: list[int]
    options: list[list[int]]
    passage_tokens_cut: int = 0
    shots_dropped: int = 0
    turns_dropped: int = 0
    problem: str | None = None
    answer_after: str | None = None

    def keys(self, identity: Mapping[str, Any]) -> list[str]:
        """Return the names of this question's results, one a sample: the weights, the code, every id that goes in."""
        named = {"weights": identity["weights"], "salt": identity["cache_salt"], "prompt": self.prompt_ids}
        if self.options:
            return [sha256_json(named | {"options": self.options})]
        named |= {name: identity[name] for name in ("max_new_tokens", "end_id")}
        if not identity["temperature"]:
            return [sha256_json(named)]
        named |= {name: identity[name] for name in ("temperature", "top_p", "seed")}
        return [sha256_json(named | {"sample": sample}) for sample in range(identity["samples"])]


def select_rows(files: Sequence[str], rows: int | None) -> pl.DataFrame:
    """Return the `rows` rows of smallest `order`, sorted by instruction_id."""
    import polars as pl

    gone = [file for file in files if not Path(file).is_file()]
    if gone:
        raise FileNotFoundError(f"instructions are missing: {', '.join(gone)}. Build them first.")
    frame = pl.concat([_read(file) for file in files], how="diagonal").sort("order", "instruction_id")
    frame = frame if rows is None else frame.head(rows)
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
) -> list[Question]:
    """Encode every row, its passage cut so that the answer, or the longest of its options, fits behind it."""
    from rc_pipeline.instructions.shots import with_shots
    from rc_pipeline.prompting.encoding import encode_each
    from rc_pipeline.prompting.tokens import TextEncoder

    rows = list(with_shots(frame, shots))
    texts = sorted({text for row in rows for text in row["choices"] or []})
    ids_of = dict(zip(texts, TextEncoder(tokenizer, form).answers(texts), strict=True))
    options = [[ids_of[text] for text in row["choices"] or []] for row in rows]
    # A row's own options decide its room, so that no other row of the set changes how it is cut.
    rooms = [max(map(len, own)) if own else max_new_tokens for own in options]
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
    return [_question(row, own, encoded[i]) for i, (row, own) in enumerate(zip(rows, options, strict=True))]


def _question(row: Mapping[str, Any], options: list[list[int]], encoded: Encoded | RowRefused) -> Question:
    about = (row["instruction_id"], row["row_id"], row["template"], list(row["choices"] or []))
    if isinstance(encoded, ValueError):
        return Question(*about, [], options, problem=encoded.reason)
    return Question(
        *about,
        list(encoded.ids),
        options,
        encoded.passage_tokens_cut,
        encoded.shots_dropped,
        encoded.turns_dropped,
        answer_after=row.get("answer_after"),
    )


def _read(file: str) -> pl.DataFrame:
    import polars as pl

    more = [column for column in MORE_COLUMNS if column in pl.read_parquet_schema(file)]
    return pl.read_parquet(file, columns=[*COLUMNS, *more])
