"""Write the report of a study: `write_report(...)`; `comparison_table(...)` is its short form for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.lake.outcome import JSON, Check, Outcome
from rc_pipeline.reporting.comparisons import compare, comparison_frame
from rc_pipeline.reporting.contamination import read_seen, seen_table
from rc_pipeline.reporting.contenders import Contender, read_contenders
from rc_pipeline.reporting.page import Study, page
from rc_pipeline.reporting.pairs import TUNING, study_pairs
from rc_pipeline.reporting.pictures import draw_losses, draw_scores
from rc_pipeline.reporting.scoreboard import ReportError, Scoreboard, read_scoreboard
from rc_pipeline.reporting.tables import comparison_table, difference_table, read_training, score_table

__all__ = ["CHECKS", "ReportError", "comparison_table", "write_report"]
# The checks that every report carries: name -> whether a failure keeps it from being used.
CHECKS = {"every_run_has_every_score": True, "runs_answered_equally_many_questions": False}


def write_report(  # noqa: PLR0913 - by name, all of them
    *,
    study: str,
    title: str,
    description: str,
    runs: Sequence[Mapping[str, Any]],
    eval_sets: Sequence[str],
    scores: Mapping[tuple[str, str], Path],
    training: Mapping[str, Path],
    overlaps: Sequence[Path] = (),
    out: Path,
) -> Outcome:
    """Write report.md and its pictures; a path of scores or training is the file or the folder that holds it."""
    contenders = read_contenders(runs)
    board = read_scoreboard(scores, eval_sets)
    if not contenders or not board.columns:
        raise ReportError(f"{study}: {len(contenders)} runs with scores on {len(board.columns)} measures; a report "
                          "needs at least one of each, so name runs and evaluation sets in the study")  # fmt: skip
    curves = {run: read_training(path, run) for run, path in sorted(training.items())}
    out.mkdir(parents=True, exist_ok=True)
    seen = read_seen(overlaps) if overlaps else None
    compared, flipped = compare(study, study_pairs(contenders), board, seen)
    write_parquet(comparison_frame(compared), out / "comparisons.parquet")
    write_parquet(flipped, out / "flipped.parquet")
    text = page(Study(study, title, description, contenders, board, curves, seen, compared))
    (out / "report.md").write_text(text, encoding="utf-8")
    comparison = comparison_table(runs=runs, eval_sets=eval_sets, scores=scores).rstrip("\n") + "\n"
    (out / "comparison.txt").write_text(comparison, encoding="utf-8")
    draw_scores(board, contenders, out / "scores.svg", out / "_scores.png")
    metadata: dict[str, JSON] = {
        "scores": {"markdown": score_table(board, contenders)},
        "scores_picture": {"image": "_scores.png"},
        "runs": len(contenders),
    }
    gained = difference_table([one for one in compared if one.kind == TUNING])
    if gained:
        metadata["before_and_after"] = {"markdown": gained}
    if seen is not None and not seen.is_empty():
        metadata["seen_in_training"] = {"markdown": seen_table(seen)}
    if curves:
        draw_losses(curves, contenders, out / "loss.svg", out / "_loss.png")
        metadata["loss_picture"] = {"image": "_loss.png"}
    return Outcome(
        metadata=metadata,
        checks=_checks(contenders, eval_sets, scores, board),
        tables={"comparisons": ["comparisons.parquet"], "flipped": ["flipped.parquet"]},
    )


def _checks(
    contenders: Sequence[Contender], eval_sets: Sequence[str], scores: Mapping[tuple[str, str], Path], board: Scoreboard
) -> tuple[Check, ...]:
    runs = sorted({one.run for one in contenders})
    missing = [f"{run} on {eval_set}" for run in runs for eval_set in eval_sets if (run, eval_set) not in scores]
    counts = {column: sorted(board.counts(runs, column)) for column in board.columns}
    uneven = [f"{column.name}: {', '.join(map(str, found))}" for column, found in counts.items() if len(found) > 1]
    found = {
        "every_run_has_every_score": (missing, "scores are missing"),
        "runs_answered_equally_many_questions": (uneven, "columns compare runs over different numbers of questions"),
    }
    return tuple(
        Check(name, not failures, blocking=CHECKS[name],
              description=f"{len(failures)} {text}: {'; '.join(failures)}" if failures else "")
        for name, (failures, text) in found.items()
    )  # fmt: skip
