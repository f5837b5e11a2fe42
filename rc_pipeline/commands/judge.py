"""`rc-pipeline judge`: answers judged by a language model or by people."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rc_pipeline.commands.entry import open_lake, reported, standing

if TYPE_CHECKING:
    from rc_pipeline.judging.agreement import Agreement
    from rc_pipeline.judging.cards import Kind
    from rc_pipeline.judging.items import Subject
    from rc_pipeline.judging.ratings import Ratings
    from rc_pipeline.lake.build import Lake

KEY, ADDRESS = "RC_API_KEY", "RC_ENDPOINT"


@click.group()
def judge() -> None:
    """Judge answers that no rule can: by a language model, or by people on a sheet. EVAL_SET is <dataset>/<split>."""


_rows = click.option("--rows", type=click.IntRange(min=1), help="Questions to judge; all if left out.")
_seed = click.option("--seed", type=int, default=0, show_default=True, help="Draws the questions and their order.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _asking(prompt: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        for option in (
            click.option("--at-once", type=click.IntRange(1, 64), default=4, show_default=True, help="Open requests."),
            click.option("--prompt", default=prompt, show_default=True, help="File of catalog/judges, without .yaml."),
            click.option("--model", default="", help="What the endpoint calls its model."),
            click.option("--endpoint", help=f"OpenAI-compatible address, else {ADDRESS}; key: {KEY}."),
            _json, _seed, _rows,
        ):  # fmt: skip
            command = option(command)
        return command

    return decorated


@judge.command()
@click.argument("run_a")
@click.argument("run_b")
@click.argument("eval_set")
@_asking("pairs_en")
@reported
def pairs(run_a: str, run_b: str, eval_set: str, **how: Any) -> None:
    """Ask which of two runs answers better, each question in both orders of the answers."""
    _judge("pairs", (run_a, run_b), eval_set, **how)


@judge.command()
@click.argument("run")
@click.argument("eval_set")
@_asking("grades_en")
@reported
def grades(run: str, eval_set: str, **how: Any) -> None:
    """Ask how good the answers of a run are, from 1 to 5."""
    _judge("grades", (run,), eval_set, **how)


@judge.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN [RUN_B] EVAL_SET")
@click.option("--to", "out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="CSV; not there yet.")
@click.option("--bom", is_flag=True, help="Begin the file with the mark by which Excel knows UTF-8.")
@_rows
@_seed
@reported
def sheet(runs: tuple[str, ...], out: Path, rows: int | None, seed: int, *, bom: bool) -> None:
    """Write a CSV for people to grade one run's answers, or to compare two runs', without the runs' names."""
    from rc_pipeline.judging.items import drawn
    from rc_pipeline.judging.sheets import make_sheet, write_sheet

    *named, eval_set = runs
    if len(named) not in {1, 2}:
        raise ValueError(f"{' '.join(runs)}: give RUN EVAL_SET to grade, or RUN RUN_B EVAL_SET to compare")
    lake = open_lake()[1]
    subject = _subject(lake, named, eval_set)
    items = drawn(subject.items(), seed, rows)
    made = make_sheet(subject.contents, items, seed)
    write_sheet(made, items, out, lake.root, bom=bom)
    click.echo(f"{out}: {len(items)} rows, sheet {made.name}; people fill in the column {made.column}")
    click.echo("Give each rater a copy that is named after them, then: rc-pipeline judge read FILE...")


@judge.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_json
@reported
def read(files: tuple[Path, ...], *, as_json: bool) -> None:
    """Read sheets back that people filled in, one file a rater: how far they agree, and what they say of the runs."""
    from rc_pipeline.judging import people, records, telling
    from rc_pipeline.judging.agreement import agreement
    from rc_pipeline.judging.ratings import read_ratings
    from rc_pipeline.judging.sheets import read_key

    lake = open_lake()[1]
    ratings = read_ratings(files, lambda name: read_key(lake.root, name))
    made = ratings.sheet
    today, why = _today(lake, made.contents.runs, made.contents.eval_set)
    items = {} if today is None else {item.key: item for item in today.items()}
    frame = records.as_frame(people.rows_of(ratings, today.contents if today else None, items))
    if frame.is_empty():
        raise ValueError(f"{', '.join(map(str, files))}: nothing is rated; fill in the column {made.column}")
    records.write(frame, people.file_name(made), lake.root)
    told = telling.summary(frame, records.is_fresh(today.contents) if today else None)
    found = agreement(ratings.labels, graded=made.kind == "grades")
    if as_json:
        blank = {rater: len(names) for rater, names in ratings.blank.items()}
        click.echo(json.dumps(told | {"agreement": vars(found), "blank": blank}, indent=1, ensure_ascii=False))
        return
    _echo([*telling.lines(told), *([f"why           {why}"] if why else []), *_agreement_lines(ratings, found)])


@judge.command()
@_json
@reported
def show(*, as_json: bool) -> None:
    """Show what all judgements come to that were made so far."""
    from rc_pipeline.judging import records, telling

    lake = open_lake()[1]
    told = []
    for frame in records.read_all(lake.root):
        first = frame.row(0, named=True)
        today, _ = _today(lake, [run for run in (first["run_a"], first["run_b"]) if run], first["eval_set"])
        told.append(telling.summary(frame, records.is_fresh(today.contents) if today else None))
    if as_json:
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
        return
    _echo("\n".join(telling.lines(one)) + "\n" for one in told)
    if not told:
        click.echo("no judgements yet")


def _judge(  # noqa: PLR0913 - by name, all of them
    kind: Kind,
    runs: Sequence[str],
    eval_set: str,
    *,
    rows: int | None,
    seed: int,
    endpoint: str | None,
    model: str,
    prompt: str,
    at_once: int,
    as_json: bool,
) -> None:
    from rc_pipeline.judging import records, telling
    from rc_pipeline.judging.asking import Judge, judge_at
    from rc_pipeline.judging.cards import read_card
    from rc_pipeline.judging.items import drawn
    from rc_pipeline.judging.requests import words_digest
    from rc_pipeline.judging.verdicts import judge_grades, judge_pairs

    lineage, lake = open_lake()
    card = read_card(lineage.catalog.root, prompt, kind)
    url = endpoint or os.environ.get(ADDRESS, "")
    if not url:
        raise ValueError(f"nobody to ask: give --endpoint (or {ADDRESS})")
    asked = judge_at(url, model, os.environ.get(KEY, ""))
    subject = _subject(lake, runs, eval_set)
    desk = Judge(asked, lake.root / "cache" / "judges", seed, at_once, lambda line: click.echo(line, err=True))
    found = (judge_pairs if kind == "pairs" else judge_grades)(card, drawn(subject.items(), seed, rows), desk.ask)
    author = records.Author(kind, records.MODEL, asked.name, f"{prompt}@{words_digest(card)}", seed, subject.contents)
    frame = records.as_frame(author.rows(found))
    records.write(frame, author.name, lake.root)
    told = telling.summary(frame, records.is_fresh(subject.contents))
    _echo([json.dumps(told, indent=1, ensure_ascii=False)] if as_json else telling.lines(told))


def _subject(lake: Lake, runs: Sequence[str], eval_set: str) -> Subject:
    """Return what is judged; raises ValueError where predictions do not stand."""
    from rc_pipeline.judging.items import Contender, Contents, Subject

    if len(set(runs)) < len(runs):
        raise ValueError(f"{runs[0]}: a run is not compared with itself; name another one")
    dataset, _, split = eval_set.partition("/")
    contents, contenders = dict[str, str](), list[Contender]()
    for run in runs:
        key = f"predictions/{run}/{eval_set}"
        found, rows = standing(lake, key), lake.graph[key].settings["rows"]
        contents[run] = found.manifest.content
        contenders.append(Contender(found.folder / "predictions.parquet", rows if isinstance(rows, int) else None))
    asked, file = standing(lake, f"instructions/{dataset}"), f"{split}.parquet"
    judged = Contents(eval_set, asked.manifest.content_of(file), contents)
    return Subject(judged, asked.folder / file, tuple(contenders))


def _today(lake: Lake, runs: Sequence[str], eval_set: str) -> tuple[Subject | None, str]:
    """Return what stands of what was judged, or why nothing does."""
    try:
        return _subject(lake, runs, eval_set), ""
    except ValueError as error:
        return None, str(error)


def _agreement_lines(ratings: Ratings, found: Agreement) -> list[str]:
    lines = [
        f"raters        {rater}: {len(labels)} rated, {len(ratings.blank[rater])} blank or left out"
        for rater, labels in ratings.labels.items()
    ]
    if found.share is None:
        return lines
    kind = "quadratic weights" if ratings.sheet.kind == "grades" else "unweighted"
    parts = [f"{100 * found.share:.1f} % of {found.items} rows rated by several"]
    parts += [f"Cohen's kappa {found.kappa:.3f} ({kind})"] if found.kappa is not None else []
    parts += [f"Krippendorff's alpha {found.alpha:.3f}"] if found.alpha is not None else ["all ratings are the same"]
    return [*lines, f"agreement     {', '.join(parts)}"]


def _echo(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)
