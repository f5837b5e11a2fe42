"""Write the report of a study: `write_report(...)`; `comparison_table(...)` is its short form for a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.lake.outcome import JSON, Check, Outcome
from rc_pipeline.reporting.as_html import html_parts
from rc_pipeline.reporting.as_latex import latex_parts, put_fonts_beside
from rc_pipeline.reporting.as_markdown import markdown_parts, table_text
from rc_pipeline.reporting.comparisons import comparison_frame
from rc_pipeline.reporting.contamination import seen_table
from rc_pipeline.reporting.document import Document, cited, numbers
from rc_pipeline.reporting.errors import flips_of
from rc_pipeline.reporting.figures import draw
from rc_pipeline.reporting.latex_style import STYLE, STYLE_FILE
from rc_pipeline.reporting.pairs import TUNING
from rc_pipeline.reporting.paper import paper
from rc_pipeline.reporting.parts import Part, assemble
from rc_pipeline.reporting.references import bibtex
from rc_pipeline.reporting.scoreboard import ReportError, Scoreboard
from rc_pipeline.reporting.sources import sources_of
from rc_pipeline.reporting.study import Files, Study, asked_of, read_study
from rc_pipeline.reporting.tables import comparison_table, difference_table, score_table

if TYPE_CHECKING:
    from rc_pipeline.reporting.document import Figure

__all__ = ["CHECKS", "Files", "ReportError", "comparison_table", "write_report"]
# The checks that every report carries: name -> whether a failure keeps it from being used.
CHECKS = {"every_run_has_every_score": True, "runs_answered_equally_many_questions": False}


def write_report(*, files: Files, out: Path, **about: Any) -> Outcome:
    """Write a study as a paper, a page and Markdown, with its pictures and numbers; `about` is read_study's."""
    study = read_study(files=files, **about)
    out.mkdir(parents=True, exist_ok=True)
    figures = write_parts(study, out)[1]
    write_parquet(comparison_frame(study.comparisons), out / "comparisons.parquet")
    write_parquet(study.flipped, out / "flipped.parquet")
    comparison = comparison_table(runs=about["runs"], eval_sets=about["eval_sets"], scores=files.scores)
    (out / "comparison.txt").write_text(comparison.rstrip("\n") + "\n", encoding="utf-8")
    return Outcome(
        metadata=_metadata(study, figures),
        checks=_checks(asked_of(about["runs"], about["eval_sets"]), files.scores, study.board),
        tables={"comparisons": ["comparisons.parquet"], "flipped": ["flipped.parquet"]},
    )


def write_parts(study: Study, out: Path) -> tuple[dict[str, list[Part]], dict[str, Figure]]:
    """Write all that people read of a report; return each text in parts, and the pictures."""
    pair = (study.before_hero, study.hero)
    sets = [column.eval_set for column in study.firsts]
    flips = flips_of(study.board, pair[0], pair[1], sets) if pair[0] is not None else []
    figures = draw(study, flips, out)
    document = paper(study, figures, flips, sources_of(study))
    parts = {
        "report.md": markdown_parts(document), "report.html": html_parts(document, out),
        "report.tex": latex_parts(document),
    }  # fmt: skip
    for name, own in parts.items():
        (out / name).write_text(assemble(own, Path(name).suffix, study.name), encoding="utf-8")
    (out / "references.bib").write_text(bibtex(cited(document)), encoding="utf-8")
    (out / STYLE_FILE).write_text(STYLE, encoding="utf-8")
    put_fonts_beside((out / "report.tex").read_text(encoding="utf-8"), out)
    (out / "numbers.json").write_text(_numbers(document), encoding="utf-8")
    return parts, figures


def _numbers(document: Document) -> str:
    page = {
        "sources": {
            one.artifact: {k: v for k, v in asdict(one).items() if k != "artifact"} for one in document.sources
        },
        "numbers": {name: {"text": one.text, "value": one.value} for name, one in sorted(numbers(document).items())},
    }
    return json.dumps(page, indent=1, ensure_ascii=False) + "\n"


def _metadata(study: Study, figures: Mapping[str, Figure]) -> dict[str, JSON]:
    gains = difference_table("gains", "", [one for one in study.comparisons if one.kind == TUNING])
    tables = {
        "scores": score_table(study.board, study.contenders, study.board.columns),
        "before_and_after": gains,
        "seen_in_training": seen_table(study.seen) if study.seen is not None and not study.seen.is_empty() else None,
    }
    found: dict[str, JSON] = {
        name: {"markdown": table_text(table)} for name, table in tables.items() if table is not None
    }
    for name in figures:
        found[f"{name.partition('-')[0]}_picture"] = {"image": f"_{name}.png"}
    return found | {"runs": len(study.contenders)}


def _checks(
    asked: Sequence[tuple[str, str]], scores: Mapping[tuple[str, str], Path], board: Scoreboard
) -> tuple[Check, ...]:
    runs = sorted({run for run, _ in asked})
    missing = [f"{run} on {eval_set}" for run, eval_set in asked if (run, eval_set) not in scores]
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
