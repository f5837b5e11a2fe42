"""What is judged: a question with the answers that one run, or two, gave to it, as they stand now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.canonical import sha256_json, stable_hash
from rc_pipeline.scoring.reading import INSTRUCTED, PREDICTED, answered, by_key, counted, optional_columns, read

if TYPE_CHECKING:
    import polars as pl

TEXTS = ("instruction", "input", "passage_start", "passage_end")


@dataclass(frozen=True)
class Item:
    """One question, and an answer of each run."""

    key: str
    instruction_id: str
    cluster: str
    question: str
    passage: str
    accepted: tuple[str, ...]
    answers: tuple[str, ...]

    @property
    def digest(self) -> str:
        """What tells this question with these answers from every other."""
        return sha256_json([self.key, self.question, self.passage, self.accepted, self.answers])[:32]


@dataclass(frozen=True)
class Contents:
    """Which answers of which runs: the content hashes of the predictions and of what was asked."""

    eval_set: str
    instructions: str
    predictions: dict[str, str]

    @property
    def runs(self) -> list[str]:
        """The runs, the first one first."""
        return list(self.predictions)


@dataclass(frozen=True)
class Contender:
    """The predictions of a run; `rows` is how many questions it was asked, None for all."""

    predictions: Path
    rows: int | None = None


@dataclass(frozen=True)
class Subject:
    """An evaluation set and the runs whose answers to it are judged."""

    contents: Contents
    instructions: Path
    contenders: tuple[Contender, ...]

    def items(self) -> list[Item]:
        """Return every question that all runs were asked."""
        import polars as pl

        of_predictions, of_instructions = optional_columns()
        more = of_instructions | {"history": pl.List(pl.List(pl.String))}
        asked = read(self.instructions, (*INSTRUCTED, *TEXTS), more, "instructions")
        together = _questions(asked)
        for number, one in enumerate(self.contenders):
            rows = counted(asked, one.rows, self.instructions)
            told = by_key(answered(rows, read(one.predictions, PREDICTED, of_predictions, "predictions")))
            answer = pl.col("answer").fill_null("").alias(f"answer_{number}")
            together = together.join(told.select("key", answer), on="key", maintain_order="left")
        return [_item(row, len(self.contenders)) for row in together.iter_rows(named=True)]


def drawn(items: Sequence[Item], seed: int, rows: int | None) -> list[Item]:
    """Return items in a seeded order; the first of them stay the first when more are asked for."""
    return sorted(items, key=lambda item: stable_hash(seed, "judged", item.key))[:rows]


def _questions(asked: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each key, with the text of the first row that answers for it, whichever the runs chose."""
    import polars as pl

    own = pl.when(pl.col("answer_keys").is_null()).then(pl.concat_list("row_id")).otherwise("answer_keys")
    each = asked.with_columns(key=own, cluster=pl.coalesce("group", "row_id")).explode("key").drop_nulls("key")
    return each.unique("key", keep="first", maintain_order=True)


def _item(row: dict[str, Any], runs: int) -> Item:
    start, end = (row["passage_start"], row["passage_end"]) if row["passage_start"] >= 0 else (0, 0)
    text = row["input"]
    turns = [said for turn in row["history"] or [] for said in turn]
    asked = [*turns, row["instruction"], (text[:start] + text[end:]).strip()]
    return Item(
        key=row["key"],
        instruction_id=row["instruction_id"],
        cluster=row["cluster"],
        question="\n\n".join(part for part in asked if part),
        passage=text[start:end],
        accepted=tuple(row["gold_answers"] or ()),
        answers=tuple(row[f"answer_{number}"] for number in range(runs)),
    )
