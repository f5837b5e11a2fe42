"""Solved examples to put in front of a question: from training rows only, and never from the question's own passage."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from rc_pipeline.lake.canonical import stable_hash

How = Literal["random", "nearest", "fixed"]
COLUMNS = (
    "row_id", "template", "group", "system", "instruction", "input", "passage_start", "passage_end", "output", "order",
)  # fmt: skip
# Lucene's form and constants of BM25.
K1, B = 1.2, 0.75
# A run of Latin letters and digits is a word; every Chinese, Japanese or Korean character is one.
_WORD = re.compile(r"[぀-ヿ㐀-鿿가-힯]|[^\W_぀-ヿ㐀-鿿가-힯]+")


class ShotsError(ValueError):
    """Solved examples that were asked for and are not there."""


@dataclass(frozen=True)
class ShotPlan:
    """How many examples are shown, how they are found, and for `fixed` which."""

    count: int
    how: How = "random"
    rows: Sequence[str] = ()
    seed: int = 0


def with_shots(rows: pl.DataFrame, asked: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Yield rows as plain data with their examples under `shots`; without a plan, as they are."""
    pools = {} if asked is None else {name: _pool(name, asked) for name in sorted(asked["files"])}
    for row in rows.iter_rows(named=True):
        yield row | {"shots": pools[row["dataset"]].shots(row)} if pools else row


def _pool(dataset: str, asked: Mapping[str, Any]) -> ShotPool:
    rows = [row for row in asked["shot_rows"] if row.startswith(f"{dataset}/")]
    if asked["shots_by"] == "fixed" and not rows:
        raise ShotsError(
            f"prompt.shot_rows: none is of {dataset}, which is asked too; add {asked['shots']} of its rows"
        )
    files = [Path(file) for file in asked["files"][dataset]]
    return ShotPool(files, ShotPlan(asked["shots"], asked["shots_by"], rows, asked["seed"]))


class ShotPool:
    """The training rows of a dataset, rendered by each template that asks, to draw examples from."""

    def __init__(self, files: Sequence[Path], plan: ShotPlan) -> None:
        parts = [pl.read_parquet(file, columns=list(COLUMNS)) for file in files]
        frame = pl.concat(parts, how="vertical_relaxed").filter(pl.col("output").is_not_null())
        self._plan, self._folder = plan, files[0].parent
        self._pools: dict[str, list[dict[str, Any]]] = {}
        for row in frame.sort("order", "row_id").iter_rows(named=True):
            self._pools.setdefault(row["template"], []).append(row)
        self._indices: dict[str, _Index] = {}
        if plan.how == "fixed":
            known = set(frame["row_id"])
            missing = [row for row in plan.rows if row not in known]
            if missing:
                raise ShotsError(
                    f"{self._folder}: prompt.shot_rows: {', '.join(missing)}: no such rows among the first training "
                    "rows; name others, as the table's row_id has them"
                )

    def shots(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the examples for a row, the most fitting one last, where it is best remembered."""
        pool = self._pools.get(row["template"], [])
        allowed = [index for index, one in enumerate(pool) if self._may_show(one, row)]
        if len(allowed) < self._plan.count:
            raise ShotsError(
                f"{self._folder}: template {row['template']}: prompt.shots is {self._plan.count}, and {len(allowed)} "
                f"training rows are not of the passage of {row['row_id']}; ask for fewer"
            )
        chosen = self._choose(pool, allowed, row)
        return [{key: pool[index][key] for key in ("system", "instruction", "input", "output")} for index in chosen]

    @staticmethod
    def _may_show(one: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
        return bool(one["group"] != row["group"] and one["row_id"] != row["row_id"])

    def _choose(self, pool: list[dict[str, Any]], allowed: list[int], row: Mapping[str, Any]) -> list[int]:
        plan = self._plan
        if plan.how == "random":
            # The seed and the row alone decide, so that no other row of the set changes these.
            return random.Random(stable_hash(plan.seed, "shots", row["row_id"])).sample(allowed, plan.count)  # noqa: S311
        if plan.how == "nearest":
            index = self._indices.setdefault(row["template"], _Index([question_of(one) for one in pool]))
            scores = index.scores(question_of(row))[allowed]
            best = np.lexsort((np.asarray(allowed), -scores))[: plan.count]
            return [allowed[place] for place in best[::-1]]
        places = {pool[index]["row_id"]: index for index in allowed}
        if set(plan.rows) - places.keys():
            raise ShotsError(
                f"{self._folder}: prompt.shot_rows: {', '.join(sorted(set(plan.rows) - places.keys()))}: of the same "
                f"passage as {row['row_id']}, which would give its answer away; name others"
            )
        return [places[name] for name in plan.rows]


def question_of(row: Mapping[str, Any]) -> str:
    """Return what a row asks, its passage left out."""
    text, start, end = row["input"] or "", row["passage_start"], row["passage_end"]
    rest = text[:start] + " " + text[end:] if 0 <= (start if start is not None else -1) <= (end or 0) else text
    return f"{row['instruction']} {rest}"


class _Index:
    """BM25 over short texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(words_of(text)) for text in texts]
        lengths = np.array([count.total() for count in counts], np.float64)
        bend = K1 * (1 - B + B * lengths / max(1.0, float(lengths.mean()) if len(lengths) else 1.0))
        found: dict[str, list[tuple[int, int]]] = {}
        for place, count in enumerate(counts):
            for word, times in count.items():
                found.setdefault(word, []).append((place, times))
        self._size = len(texts)
        self._postings: dict[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = {}
        for word, entries in found.items():
            places = np.array([place for place, _ in entries])
            counted = np.array([times for _, times in entries], np.float64)
            rare = math.log1p((self._size - len(entries) + 0.5) / (len(entries) + 0.5))
            self._postings[word] = places, rare * counted / (counted + bend[places])

    def scores(self, text: str) -> np.ndarray[Any, Any]:
        """Return how near each text is."""
        scores = np.zeros(self._size)
        for word in sorted(set(words_of(text))):
            if word in self._postings:
                places, weights = self._postings[word]
                scores[places] += weights
        return scores


def words_of(text: str) -> list[str]:
    """Return the words of a text in any script, folded."""
    return _WORD.findall(text.casefold())
