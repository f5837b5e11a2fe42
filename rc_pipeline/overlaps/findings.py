"""What was found, as tables, as figures for people, and as checks."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from rc_pipeline.lake.frames import markdown_table
from rc_pipeline.lake.outcome import JSON, Check
from rc_pipeline.overlaps.comparing import KINDS, Comparison, Find

SCHEMA: dict[str, Any] = {
    "eval_set": pl.String,
    "row_id": pl.String,
    "kind": pl.String,
    "part": pl.String,
    "train_dataset": pl.String,
    "train_row_id": pl.String,
    "similarity": pl.Float64,
    "shared": pl.String,
}
COUNTS_SCHEMA: dict[str, Any] = {
    "eval_set": pl.String,
    "train_dataset": pl.String,
    "kind": pl.String,
    "rows": pl.Int64,
    "of_rows": pl.Int64,
    "share": pl.Float64,
}
ANY = "any"
EXAMPLES_OF_A_KIND = 3


class Touched(NamedTuple):
    """A row of the evaluation set, what it has in common with training, and by which of its parts."""

    row: int
    kind: str
    part: str
    find: Find


def touched_rows(comparison: Comparison) -> list[Touched]:
    """Return for each row and kind the best find of its texts, in the order of rows and kinds."""
    asked = comparison.asked
    found: list[Touched] = []
    for kind, finds in comparison.finds.items():
        best: dict[int, Touched] = {}
        for row, text in zip(asked.row.tolist(), asked.text.tolist(), strict=True):
            find = finds.get(text)
            if find and (row not in best or find.similarity > best[row].find.similarity):
                best[row] = Touched(row, kind, asked.part[text], find)
        found += best.values()
    return sorted(found, key=lambda each: (each.row, KINDS.index(each.kind)))


def overlap_table(touched: list[Touched], row_ids: list[str], eval_set: str, dataset: str) -> pl.DataFrame:
    """Return a row for each evaluation row and kind: the training row that shares most with it."""
    rows = [
        (eval_set, row_ids[row], kind, part, dataset, find.row_id, find.similarity, find.shared)
        for row, kind, part, find in touched
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def count_table(overlaps: pl.DataFrame, eval_set: str, dataset: str, of_rows: int) -> pl.DataFrame:
    """Return how many rows of the evaluation set each kind touches, and how many any of them does."""
    found = {kind: overlaps.filter(kind=kind).height for kind in KINDS} | {ANY: overlaps["row_id"].n_unique()}
    rows = [(eval_set, dataset, kind, rows, of_rows, rows / max(1, of_rows)) for kind, rows in found.items()]
    return pl.DataFrame(rows, schema=COUNTS_SCHEMA, orient="row")


def metadata(comparison: Comparison, touched: list[Touched], counts: pl.DataFrame) -> dict[str, JSON]:
    """Return the counts, and the first finds of each kind with both texts side by side."""
    asked = comparison.asked
    shares = [[kind, rows, f"{share:.2%}"] for kind, rows, share in counts.select("kind", "rows", "share").iter_rows()]
    rows = len(asked.row_ids)
    shown: dict[str, JSON] = {
        "evaluation rows": rows,
        "training rows": comparison.rows,
        "clean rows": rows - len({each.row for each in touched}),
        "rows without words": rows - len(np.unique(asked.row)),
        "counts": {"markdown": markdown_table(["kind", "rows", "share"], [*shares])},
    }
    if touched:
        firsts = [one for kind in KINDS for one in [each for each in touched if each.kind == kind][:EXAMPLES_OF_A_KIND]]
        examples: list[list[object]] = [
            [kind, asked.row_ids[row], find.asked, find.row_id, find.taught, f"{find.similarity:.2f}"]
            for row, kind, _, find in firsts
        ]
        columns = ["kind", "row", "what it says", "training row", "what that says", "similarity"]
        shown["examples"] = {"markdown": markdown_table(columns, examples)}
    return shown


def checks(touched: list[Touched], asked: tuple[int, int], taught: tuple[int, int]) -> tuple[Check, ...]:
    """Return the verdicts; `asked` and `taught` are (rows compared, rows there are)."""
    rows: dict[str, JSON] = {"evaluation rows": list(asked), "training rows": list(taught)}
    found = len({each.row for each in touched})
    return (
        Check(
            "every_row_was_compared",
            asked[0] == asked[1] and taught[0] == taught[1],
            description="Each row of the evaluation set was compared with each training row (compared, there are).",
            metadata=rows,
        ),
        Check(
            "no_overlap",
            passed=not found,
            blocking=False,
            description="No evaluation row shares its passage, its question or a stretch of words with training.",
            metadata={"rows": found, "clean rows": asked[0] - found},
        ),
    )
