"""What scores are worth on questions that training has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rc_pipeline.lake.frames import markdown_table
from rc_pipeline.reporting.contenders import Contender
from rc_pipeline.reporting.scoreboard import NO_SCORE, Column, ReportError, Scoreboard

if TYPE_CHECKING:
    import polars as pl


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


def seen_table(seen: pl.DataFrame) -> str:
    """Return how many rows of each evaluation set training has seen, and in which way."""
    import polars as pl

    counts = seen.group_by("eval_set", "train_dataset", "kind").agg(rows=pl.col("row_id").n_unique())
    rows = counts.sort("eval_set", "train_dataset", "kind").rows()
    head = ["evaluation set", "training rows of", "in common", "rows"]
    return markdown_table(head, [[eval_set, train, kind.replace("_", " "), n] for eval_set, train, kind, n in rows])


def clean_table(board: Scoreboard, contenders: Sequence[Contender], seen: pl.DataFrame) -> str:
    """Return every score beside the same one over the questions that training has not seen, where any was."""
    touched = _touched(seen)
    rows: list[list[object]] = []
    for column in board.columns:
        hidden = touched.get(column.eval_set.partition(".")[0], set())
        if not hidden:
            continue
        for one in contenders:
            whole, clean = board.scores.get((one.run, column)), _clean(board, one.run, column, hidden)
            if whole is not None and whole.value is not None and clean is not None:
                value, n = clean
                shown = NO_SCORE if value is None else f"{value:.1f}"
                rows.append([one.label, column.name, f"{whole.value:.1f}", shown, whole.n, n])
    return markdown_table(["run", "score", "all", "unseen", "questions", "unseen"], rows) if rows else ""


def _touched(seen: pl.DataFrame) -> dict[str, set[str]]:
    groups: Mapping[tuple[object, ...], pl.DataFrame] = seen.partition_by("eval_set", as_dict=True)
    return {str(key[0]): set(frame["row_id"]) for key, frame in groups.items()}


def _clean(board: Scoreboard, run: str, column: Column, hidden: set[str]) -> tuple[float | None, int] | None:
    """Return the mean over the questions that are not hidden, in percent, and how many they are."""
    import polars as pl

    file = board.questions.get((run, column.eval_set))
    if file is None:
        return None
    verdict = "f1" if column.metric == "f1" else "correct"
    verdicts = pl.read_parquet(file).sort("instruction_id").filter(~pl.col("row_id").is_in(hidden))
    values = verdicts[verdict].cast(pl.Float64).to_list()
    return (100 * sum(values) / len(values) if values else None), len(values)
