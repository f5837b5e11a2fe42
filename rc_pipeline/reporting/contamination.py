"""What scores are worth on questions that training has not seen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rc_pipeline.reporting.cells import NONE, figure, score_cell, score_id
from rc_pipeline.reporting.contenders import Contender
from rc_pipeline.reporting.document import Code, Row, Table
from rc_pipeline.reporting.scoreboard import Column, ReportError, Score, Scoreboard
from rc_pipeline.reporting.verdicts import measure_of, read_verdicts, score_over, without

if TYPE_CHECKING:
    import polars as pl

SEEN = (
    "Evaluation rows that training has seen: a training row has their passage, their question, thirteen of their words "
    "in a row, or nearly all of them."
)
UNSEEN = "All runs over the same unseen rows, whatever each was trained on itself."


def read_seen(files: Sequence[Path]) -> pl.DataFrame:
    """Return (eval_set, row_id, kind, train_dataset) of every evaluation row that overlaps with training rows."""
    import polars as pl

    schema = dict.fromkeys(("eval_set", "row_id", "kind", "train_dataset"), pl.String)
    frames = [pl.DataFrame(schema=schema)]
    for file in files:
        try:
            frames.append(pl.read_parquet(file).select(*schema))
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ReportError(f"{file}: overlaps cannot be read ({error}); build them again") from error
    return pl.concat(frames)


def seen_table(seen: pl.DataFrame) -> Table:
    """Return how many rows of each evaluation set training has seen, and in which way."""
    import polars as pl

    counts = seen.group_by("eval_set", "train_dataset", "kind").agg(rows=pl.col("row_id").n_unique())
    rows: list[Row] = [
        ((eval_set,), (train,), (kind.replace("_", " "),), (figure(f"overlaps/{train}/{eval_set}:{kind}", n, ","),))
        for eval_set, train, kind, n in counts.sort("eval_set", "train_dataset", "kind").rows()
    ]
    return Table("seen", (SEEN,), ["evaluation set", "training rows of", "in common", "rows"], rows, on_paper=8)


def hidden_rows(seen: pl.DataFrame | None, eval_set: str) -> frozenset[str]:
    """Return the rows of an evaluation set that training has seen, in whatever words they are asked."""
    if seen is None:
        return frozenset()
    return frozenset(seen.filter(seen["eval_set"] == eval_set.partition(".")[0])["row_id"])


def clean_table(board: Scoreboard, contenders: Sequence[Contender], seen: pl.DataFrame) -> Table | None:
    """Return every score beside the same one over the questions that training has not seen, where any was."""
    rows: list[Row] = []
    for column in board.columns:
        hidden = hidden_rows(seen, column.eval_set)
        for one in contenders if hidden else ():
            whole, clean = board.scores.get((one.run, column)), _clean(board, one.run, column, hidden)
            if whole is not None and whole.value is not None and clean is not None:
                cells = [score_cell(whole, score_id(one.run, column, "")),
                         NONE if clean.value is None else score_cell(clean, score_id(one.run, column, "unseen-")),
                         (figure(score_id(one.run, column, "n"), whole.n, ","),),
                         (figure(score_id(one.run, column, "unseen-n"), clean.n, ","),)]  # fmt: skip
                rows.append(((Code(one.label),), (column.name,), *cells))
    headings = ["run", "score", "all", "unseen", "questions", "unseen"]
    return Table("unseen", (UNSEEN,), headings, rows, detail=True) if rows else None


def _clean(board: Scoreboard, run: str, column: Column, hidden: Collection[str]) -> Score | None:
    """Return the score over the questions that are not hidden; None where there are no verdicts to make it of."""
    file = board.questions.get((run, column.eval_set))
    questions = None if file is None else read_verdicts(file)
    measure = None if questions is None else measure_of(column.metric, questions.columns)
    return None if questions is None or measure is None else score_over(without(questions, hidden), measure)
