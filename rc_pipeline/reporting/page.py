"""The page itself: what was compared, what came out, and how to walk a number back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rc_pipeline.reporting.comparisons import Comparison
from rc_pipeline.reporting.contamination import clean_table, seen_table
from rc_pipeline.reporting.contenders import Contender
from rc_pipeline.reporting.pairs import ABLATION, MODELS, TUNING
from rc_pipeline.reporting.scoreboard import Scoreboard
from rc_pipeline.reporting.tables import (
    Training,
    ablation_tables,
    contender_table,
    difference_table,
    score_table,
    seed_table,
    training_table,
)
from rc_pipeline.reporting.ways import probe_table, wording_table

if TYPE_CHECKING:
    import polars as pl

READING = (
    "Scores are percentages with 95 % bootstrap intervals; n counts all questions asked, answered or not. "
    "The best of each column is bold. Intervals that overlap do not show that two runs are equal."
)
PAIRING = (
    "Differences are percentage points with 95 % intervals, paired by question. Better and worse count the questions "
    "whose score rose and fell. p is that of McNemar's exact test for verdicts and of a paired bootstrap for other "
    "measures, corrected by Holm's method for all comparisons of this study; below 0.05 a difference is more than "
    "chance. Detectable is the smallest true difference that so many questions would show in four cases of five. "
    "`FROM comparisons` has all figures, `FROM flipped` every question whose verdict changed."
)
SEEDS = (
    "Runs that differ in their seed alone are one run and not several test sets: where it is compared, it stands with "
    "its mean over seeds, and intervals are over questions."
)
WORDINGS = (
    "The same questions asked by templates that no run was trained on. A run is only as good as its worst template: "
    "what lies between the templates is the wording and not the reading."
)
PROBED = (
    "The same questions with something taken away. A score that a probe leaves where it was needs no reading; "
    "docs/probes.md tells what each takes."
)
SEEN = (
    "An evaluation row counts as seen when a training row has its passage, its question, thirteen of its words in a "
    "row, or nearly all of them; `SELECT * FROM overlaps` lists them. All runs are compared over the same unseen rows, "
    "whatever each was trained on itself."
)
FINAL_LOSS = (
    "Tokens are those that the model read, prompts included. Final loss is the mean over the last 5 % of the curve."
)


@dataclass(frozen=True)
class Study:
    """All that a page tells of a study."""

    name: str
    title: str
    description: str
    contenders: Sequence[Contender]
    board: Scoreboard
    training: Mapping[str, Training]
    seen: pl.DataFrame | None
    comparisons: Sequence[Comparison]


def page(study: Study) -> str:
    """Return the report as Markdown; the pictures lie beside it."""
    main = [one for one in study.contenders if not one.ablation_of]
    ablations = ablation_tables(study.board, study.contenders)
    of = {kind: [one for one in study.comparisons if one.kind == kind] for kind in (TUNING, ABLATION, MODELS)}
    parts = [
        f"# {_plain(' '.join(study.title.split()) or study.name)}",
        _plain(study.description.strip()),
        "## Scores",
        score_table(study.board, main),
        READING,
        "![Scores of all runs with their intervals](scores.svg)",
        *_section("Before and after tuning", difference_table(of[TUNING])),
        *_section("Comparisons", difference_table([*of[ABLATION], *of[MODELS]])),
        PAIRING if study.comparisons else "",
        *_section("Seeds", seed_table(study.board, study.contenders), SEEDS),
        *_section("Other wordings", wording_table(study.board, study.contenders), WORDINGS),
        *_section("Probes", probe_table(study.board, study.contenders), PROBED),
    ]
    parts += _seen_in_training(study)
    if ablations:
        parts.append("## Ablations")
        for label, table in ablations.items():
            parts += [f"### `{label}`", table]
    if study.training:
        parts += _section("Training", training_table(study.contenders, study.training), FINAL_LOSS)
        parts.append("![Training loss by step](loss.svg)")
    parts += ["## What was compared", contender_table(study.contenders), *_walk_back(study)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _seen_in_training(study: Study) -> list[str]:
    if study.seen is None:
        return []
    if study.seen.is_empty():
        return ["## Seen in training", f"No evaluation row was found among the training rows. {SEEN}"]
    clean = clean_table(study.board, study.contenders, study.seen)
    return ["## Seen in training", seen_table(study.seen), SEEN, clean]


def _section(heading: str, table: str, explanation: str = "") -> list[str]:
    return [f"## {heading}", table, explanation] if table else []


def _plain(text: str) -> str:
    return text.replace("<", "&lt;")


def _walk_back(study: Study) -> list[str]:
    if not study.board.columns or not study.contenders:
        return []
    one = next((one for one in study.contenders if one.tuned), study.contenders[0])
    column = study.board.columns[0]
    where = f"run = '{one.run}' AND eval_set = '{column.eval_set}'"
    names = {other.label: other.run for other in study.contenders if other.label != other.run}
    aliases = ", ".join(f"`{label}` is `{run}`" for label, run in names.items())
    return [
        "## Walking a number back",
        "Every number above is a mean over rows of the warehouse: `duckdb -readonly data_lake/rc.duckdb`. "
        f"The queries are for `{one.label}` on {column.eval_set}."
        + (f" Runs of equal content are kept under one name: {aliases}." if aliases else ""),
        "The score, from its single verdicts:",
        _sql(
            "SELECT count(*) AS n, 100 * avg(correct::INT) AS percent_correct, 100 * avg(f1) AS f1",
            "FROM scored_questions",
            f"WHERE {where};",
        ),
        "The wrong answers, with what the model was asked and the template that asked it:",
        _sql(
            "SELECT q.row_id, q.answer, q.gold, q.problem, i.template, i.instruction, i.input",
            "FROM scored_questions AS q JOIN instructions AS i USING (instruction_id)",
            f"WHERE {where} AND NOT q.correct",
            "ORDER BY instruction_id LIMIT 20;",
        ),
        "The weights, the data and the files that the score was made of:",
        _sql(
            "SELECT asset, fingerprint, inputs",
            "FROM lineage",
            f"WHERE asset IN ('scores/{one.run}/{column.eval_set}', 'predictions/{one.run}/{column.eval_set}', "
            f"'adapters/{one.run}');",
        ),
    ]


def _sql(*lines: str) -> str:
    return "\n".join(["```sql", *lines, "```"])
