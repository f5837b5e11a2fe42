"""The report of a study as a document: what was asked, how, what came out, and what that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rc_pipeline.reporting import analysis, findings, method
from rc_pipeline.reporting.contamination import clean_table, seen_table
from rc_pipeline.reporting.document import (
    Author,
    Block,
    Code,
    Document,
    Figure,
    Heading,
    Paragraph,
    Query,
    See,
    Source,
    Table,
    Text,
    listed,
    said,
    sentences,
)
from rc_pipeline.reporting.errors import Flips
from rc_pipeline.reporting.pairs import ABLATION, MODELS, TUNING
from rc_pipeline.reporting.scoreboard import Column
from rc_pipeline.reporting.study import Study
from rc_pipeline.reporting.tables import (
    PAIRING,
    ablation_tables,
    contender_table,
    difference_table,
    score_table,
    seed_table,
    training_table,
)
from rc_pipeline.reporting.ways import probe_table, wording_table

if TYPE_CHECKING:
    from rc_pipeline.reporting.comparisons import Comparison

CONTENTS = dict[str, Figure]


def paper(study: Study, figures: CONTENTS, flips: Sequence[Flips], sources: Sequence[Source] = ()) -> Document:
    """Return the report; `figures` are those that are drawn, by name."""
    blocks: list[Block | None] = [
        Heading("Introduction"),
        Author("introduction", _introduction(study)),
        Heading("Related Work"),
        Author("related_work", method.related_work(study)),
        Heading("Method"),
        Heading("Data construction", 2),
        *method.data_construction(study, recall="recall" in figures),
        method.data_table(study),
        figures.get("lengths"), figures.get("recall"),
        Heading("Tuning", 2),
        Paragraph(method.tuning_text(study)),
        contender_table(study.contenders),
        training_table(study.contenders, study.training),
        figures.get("loss"),
        Heading("Measures", 2),
        Paragraph(method.measures_text(study, study.columns)),
        Heading("Experiments"),
        *_experiments(study, figures),
        Heading("Discussion"),
        Author("discussion", _discussion(study)),
        *_errors(study, figures, flips),
        *_seen(study),
        Heading("Conclusion"),
        Author("conclusion", findings.conclusion(study)),
        *_walk_back(study),
    ]  # fmt: skip
    byline = said("Study {}", Code(study.name))
    shown = [block for block in blocks if block is not None]
    return Document(study.name, study.title, byline, findings.abstract(study), shown, sources)


def _introduction(study: Study) -> tuple[Paragraph, ...]:
    sets = [column.eval_set for column in study.firsts]
    models = list(dict.fromkeys(one.model for one in study.main))
    question = (
        "The question is what tuning changes, and how much of that is more than chance."
        if any(one.tuned for one in study.contenders) else "The question is how far these models read as they are."
    )  # fmt: skip
    return (
        Paragraph(sentences(
            ("A model that answers questions about a text has to find what the text says, and to say it in the form "
             "that was asked for. Tuning on instructions can teach either, and a score alone does not tell which.",),
            said("We look at {} on {}.", listed([Code(one) for one in models]), listed(list(sets))), (question,),
        )),
        Paragraph(said("We report every run with its interval, compare runs by question, and show which questions each "
                       "won and lost. {} leads; the rest says what it rests on.", See("scores"))),
    )  # fmt: skip


def _experiments(study: Study, figures: CONTENTS) -> list[Block | None]:
    main, board = study.main, study.board
    everything = list(board.columns) != study.columns
    by_kind = {kind: [one for one in study.comparisons if one.kind == kind] for kind in (TUNING, ABLATION, MODELS)}
    tables = ablation_tables(board, study.contenders, study.columns)
    wordings, probes, seeds = (make(board, study.contenders) for make in (wording_table, probe_table, seed_table))
    return [
        Heading("Main results", 2),
        Paragraph(findings.main_results(study)),
        score_table(board, main, study.columns),
        figures["score-bars"],
        *_section("Before and after tuning", findings.before_and_after(study) if by_kind[TUNING] else (),
                  difference_table("gains", "What tuning changes. " + PAIRING, _first(by_kind[TUNING], study))),
        *_section("Ablations", findings.of_ablations(study), *tables, figures.get("ablation-curve")),
        *_section("Comparison of runs", findings.of_models(study),
                  difference_table("pairs", "Main runs against each other.", _first(by_kind[MODELS], study))),
        *_section("Other wordings", _told("wordings", wordings), wordings, figures.get("wording-spread")),
        *_section("Probes", _told("probes", probes), probes),
        *_section("Seeds", _told("seeds", seeds), seeds),
        *_details(study, everything),
    ]  # fmt: skip


def _details(study: Study, everything: bool) -> list[Block | None]:
    """Return what has room on a page without an end alone."""
    table = difference_table("comparisons", "Every comparison of the study. " + PAIRING, study.comparisons)
    columns = list(study.board.columns) if everything else []
    whole = score_table(study.board, study.contenders, columns, "all-scores") if everything else None
    found = [_detail(one) for one in (whole, table) if one is not None]
    return [Heading("All figures", 2, detail=True), *found] if found else []


def _detail(table: Table) -> Table:
    return Table(table.name, table.caption, table.headings, table.rows, detail=True)


def _section(heading: str, text: Text, *blocks: Block | None) -> list[Block | None]:
    there = [block for block in blocks if block is not None]
    return [Heading(heading, 2), *([Paragraph(text)] if text else []), *there] if there else []


def _told(name: str, table: Table | None) -> Text:
    texts = {
        "wordings": "{} shows how far a score depends on how a question is put.",
        "probes": "{} shows what is left of a score when a part of the question is taken away.",
        "seeds": "{} shows how far runs differ that differ in their seed alone.",
    }
    return said(texts[name], See(name)) if table is not None else ()


def _first(comparisons: Sequence[Comparison], study: Study) -> list[Comparison]:
    return [one for one in comparisons if Column(one.eval_set, one.metric) in study.columns]


def _discussion(study: Study) -> tuple[Paragraph, ...]:
    tuned = [one for one in study.contenders if one.tuned]
    seeds = {one.settings.get("seed") for one in tuned}
    return (
        Paragraph(sentences(
            ("Intervals and tests are over questions: they tell what other questions would have shown, and not what "
             "another training run would have.",) if tuned and len(seeds) < 2 else (),
            ("A score says nothing of questions that are unlike those of its set.",),
        )),
    )  # fmt: skip


def _errors(study: Study, figures: CONTENTS, flips: Sequence[Flips]) -> list[Block | None]:
    parts, examples = analysis.slice_table(study), analysis.example_table(study)
    confused = said("{} shows which options are taken for which.", See("confusion")) if "confusion" in figures else ()
    return [
        Heading("Error analysis", 2),
        Paragraph(sentences(
            findings.of_flips(flips) if "flips" in figures else (), confused, analysis.problems(study),
            said("{} tells scores by the kind of question.", See("parts")) if parts else (),
            said("{} shows the first answers by key that changed.", See("examples")) if examples else (),
        )),
        figures.get("flips"), parts, figures.get("confusion"), examples,
    ]  # fmt: skip


def _seen(study: Study) -> list[Block | None]:
    if study.seen is None or study.seen.is_empty():
        return []
    return [
        Heading("Seen in training", 2),
        Paragraph(sentences(findings.robustness(study), said("{} counts them.", See("seen")))),
        seen_table(study.seen),
        clean_table(study.board, study.contenders, study.seen),
    ]


def _walk_back(study: Study) -> list[Block]:
    one, column = study.hero, study.columns[0]
    where = f"run = '{one.run}' AND eval_set = '{column.eval_set}'"
    names = {other.label: other.run for other in study.contenders if other.label != other.run}
    aliases = listed([said("{} is {}", Code(label), Code(run)) for label, run in names.items()])
    return [
        Heading("Walking a number back", detail=True),
        Paragraph(sentences(
            said("Every number above is made of rows of the warehouse: {}. The queries are for {} on {}.",
                 Code('rc-pipeline sql "…"'), Code(one.label), column.eval_set),
            said("Runs of equal content are kept under one name: {}.", aliases) if aliases else ()), detail=True),
        Paragraph(("The score, from its single verdicts:",), detail=True),
        Query((
            "SELECT count(*) AS n, 100 * avg(correct::INT) AS percent_correct, 100 * avg(f1) AS f1",
            "FROM scored_questions", f"WHERE {where};",
        )),
        Paragraph(("The wrong answers, with what the model was asked and the template that asked it:",), detail=True),
        Query((
            "SELECT q.row_id, q.answer, q.gold, q.problem, i.template, i.instruction, i.input",
            "FROM scored_questions AS q JOIN instructions AS i USING (instruction_id)",
            f"WHERE {where} AND NOT q.correct", "ORDER BY instruction_id LIMIT 20;",
        )),
        Paragraph(("The weights, the data and the files that the score was made of:",), detail=True),
        Query((
            "SELECT asset, fingerprint, inputs", "FROM lineage",
            f"WHERE asset IN ('scores/{one.run}/{column.eval_set}', 'predictions/{one.run}/{column.eval_set}', "
            f"'adapters/{one.run}');",
        )),
    ]  # fmt: skip
