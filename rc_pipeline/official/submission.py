"""Predictions as a leaderboard takes them: checked to be whole before anything is written."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.exporting.folder import PROVENANCE, new_folder
from rc_pipeline.official.cosmos import HEADER
from rc_pipeline.scoring.errors import some
from rc_pipeline.scoring.reading import INSTRUCTED, PREDICTED, answered, by_key, optional_columns, read

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Answers:
    """Where an evaluation set lies, and what was answered to it."""

    fmt: str
    split: str
    tables: Path
    instructions: Path
    predictions: Path

    def rows(self) -> pl.DataFrame:
        """Return what was asked with what was said to it."""
        of_predictions, of_instructions = optional_columns()
        asked = read(self.instructions, INSTRUCTED, of_instructions, "instructions")
        return answered(asked, read(self.predictions, PREDICTED, of_predictions, "predictions"))


def write_submission(answers: Answers, out: Path, provenance: Mapping[str, Any], *, force: bool = False) -> list[str]:
    """Write the files that a leaderboard takes into a new folder and return what was written, in words."""
    make = FORMS.get(answers.fmt)
    if make is None:
        raise ValueError(f"format {answers.fmt}: no leaderboard takes its answers; there are {' and '.join(FORMS)}")
    if "." in answers.split:
        raise ValueError(
            f"{answers.split}: a leaderboard asks the split as it is; submit {answers.split.split('.')[0]}"
        )
    _require_whole_tables(answers)
    files, said = make(answers)
    with new_folder(out, force=force) as folder:
        for name, text in files.items():
            (folder / name).write_bytes(text.encode())
        (folder / PROVENANCE).write_text(json.dumps(dict(provenance), indent=1, sort_keys=True), encoding="utf-8")
    return said


def _require_whole_tables(answers: Answers) -> None:
    """A row that was set aside was never asked, and its answer would be missing."""
    import polars as pl

    counts = pl.read_parquet(answers.tables / "quarantine_counts.parquet")
    bad = counts.filter(pl.col("split") == answers.split, pl.col("reason").is_not_null())
    if bad.height:
        reasons = ", ".join(f"{rows} {reason}" for reason, rows in bad.select("reason", "rows").iter_rows())
        raise ValueError(f"split {answers.split}: rows were set aside ({reasons}) and not asked; correct the raw files")


def _cosmos(answers: Answers) -> tuple[dict[str, str], list[str]]:
    """Return a label a line in the order of the file, and the same with ids."""
    import polars as pl

    rows = pl.read_parquet(answers.tables / f"{answers.split}.parquet", columns=["row_id", "id"])
    told = rows.join(answers.rows().select("row_id", "choice"), on="row_id", how="left", maintain_order="left")
    _require_all("label", told.filter(pl.col("choice").is_null())["row_id"].to_list(), told.height)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(HEADER.split(","))
    writer.writerows(told.select("id", "choice").iter_rows())
    lines = "".join(f"{choice}\n" for choice in told["choice"])
    return {"labels.txt": lines, "labels.csv": table.getvalue()}, [f"{told.height} labels: labels.txt, labels.csv"]


def _trivia(answers: Answers) -> tuple[dict[str, str], list[str]]:
    """Return an answer for each official key; one that a model could not be asked is empty, and scores 0 as well."""
    import polars as pl

    from rc_pipeline.instructions.asked import answer_keys

    keys = answer_keys(answers.tables, answers.split)["key"].unique(maintain_order=True).to_list()
    told = by_key(answers.rows()).filter("predicted").select("key", pl.col("answer").fill_null(""))
    found = dict(told.iter_rows())
    _require_all("answer", [key for key in keys if key not in found], len(keys))
    empty = [key for key in keys if not found[key].strip()]
    said = [f"{len(keys)} answers: predictions.json"]
    if empty:
        said.append(f"{len(empty)} of them are empty and score 0: {some(empty)}")
    text = json.dumps({key: found[key] for key in keys}, ensure_ascii=False, indent=0)
    return {"predictions.json": text + "\n"}, said


def _require_all(what: str, missing: Sequence[str], asked: int) -> None:
    if missing:
        raise ValueError(
            f"{len(missing)} of {asked} have no {what} ({some(missing)}); nothing was written. Ask the whole set: "
            "evaluate_on with all of its rows, and a template whose answers are choices where labels are submitted"
        )


FORMS: dict[str, Callable[[Answers], tuple[dict[str, str], list[str]]]] = {"cosmos_qa": _cosmos, "trivia_qa": _trivia}
