"""What a probe changes in the rows: the passage is taken away or another one's, the options change places."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from rc_pipeline.instructions.asked import OWN, words_in
from rc_pipeline.instructions.probes import NEW_LABEL, OTHER_PASSAGE, SHUFFLED_OPTIONS, option_columns
from rc_pipeline.instructions.rendering import TaskRenderer
from rc_pipeline.instructions.shots import words_of
from rc_pipeline.lake.canonical import stable_hash

Rows = Callable[[], Iterator[pl.DataFrame]]
# Why a row is not asked, null where it is.
SET_ASIDE = "_set_aside"
NO_OTHER_PASSAGE, NO_OPTIONS = "no_other_passage", "no_options"


@dataclass(frozen=True)
class Probing:
    """A probe over the rows of an evaluation set; `renderer` and `template` are those of the set itself."""

    probe: str
    renderer: TaskRenderer
    template: Mapping[str, Any]
    columns: Sequence[str]
    seed: int

    def batches(self, rows: Rows) -> Iterator[pl.DataFrame]:
        """Yield the rows as the probe's template is to see them."""
        passage = self.renderer.passage_column
        others = _OtherPassages(rows(), passage, self.seed) if self.probe == OTHER_PASSAGE else None
        for batch in rows():
            if self.probe == SHUFFLED_OPTIONS:
                yield self._shuffled(batch)
            elif others is not None:
                yield _shown(batch, passage, others.of(batch))
            else:
                yield _shown(batch, passage, pl.repeat("", batch.height, eager=True))

    def _shuffled(self, batch: pl.DataFrame) -> pl.DataFrame:
        names = option_columns(self.template, self.columns)
        listed = isinstance(self.template["choices"], str)
        options: list[list[Any]] = []
        labels: list[int | None] = []
        for row in batch.iter_rows(named=True):
            given = (row[names[0]] or []) if listed else [row[name] for name in names]
            order = sorted(range(len(given)), key=lambda n: stable_hash(self.seed, "option", row["row_id"], str(n)))
            label = self.renderer.gold_label(row)
            options.append([given[place] for place in order])
            labels.append(None if label is None else order.index(label))
        columns = [options] if listed else [[given[n] for given in options] for n in range(len(names))]
        return batch.with_columns(
            pl.Series(NEW_LABEL, labels, dtype=pl.Int64),
            pl.Series(SET_ASIDE, [None if given else NO_OPTIONS for given in options], dtype=pl.String),
            *(pl.Series(name, said, dtype=batch.schema[name]) for name, said in zip(names, columns, strict=True)),
        )


def _shown(batch: pl.DataFrame, passage_column: str, passages: pl.Series) -> pl.DataFrame:
    return batch.with_columns(
        passages.fill_null("").alias(passage_column),
        words_in(passages).fill_null(0).alias(f"{OWN}passage_words"),
        pl.when(passages.is_null()).then(pl.lit(NO_OTHER_PASSAGE)).alias(SET_ASIDE),
    )


class _OtherPassages:
    """The rows of a set in a ring: each is given the passage of the next one that is of another group.

    So each passage is read about once, and a row that comes or goes changes its neighbours alone. A passage
    that says an accepted answer is passed over.
    """

    def __init__(self, batches: Iterator[pl.DataFrame], passage_column: str, seed: int) -> None:
        wanted = ["row_id", "group", pl.col(passage_column).alias("passage")]
        rows = pl.concat([batch.select(wanted) for batch in batches])
        places = [stable_hash(seed, OTHER_PASSAGE, row_id) for row_id in rows["row_id"]]
        rows = rows.with_columns(pl.Series("place", places, dtype=pl.UInt64)).sort("place", "row_id")
        self._groups: list[str] = rows["group"].to_list()
        self._passages = rows["passage"]
        self._place_of: dict[str, int] = {row_id: place for place, row_id in enumerate(rows["row_id"])}

    def of(self, batch: pl.DataFrame) -> pl.Series:
        """Return another passage for each row, null where there is none."""
        found = [self._next(*row) for row in batch.select("row_id", "gold_answers").iter_rows()]
        return self._passages.gather(pl.Series(found, dtype=pl.UInt32))

    def _next(self, row_id: str, answers: Sequence[str] | None) -> int | None:
        own, count = self._place_of[row_id], len(self._groups)
        told = [_worded(answer) for answer in answers or [] if answer]
        for step in range(1, count):
            place = (own + step) % count
            passage = self._passages[place]
            if not passage or self._groups[place] == self._groups[own] or passage == self._passages[own]:
                continue
            said = _worded(passage)
            if not any(answer in said for answer in told):
                return place
        return None


def _worded(text: str) -> str:
    """Return the words of a text, folded, so that whole words can be looked for."""
    return f" {' '.join(words_of(text))} "
