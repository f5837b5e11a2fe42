"""`rc-pipeline`: what would be built and why, and the lake kept whole, small and open to questions."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import click

from rc_pipeline.commands.chat import chat
from rc_pipeline.commands.doctor import doctor
from rc_pipeline.commands.entry import open_lake, reported
from rc_pipeline.commands.export import export
from rc_pipeline.commands.judge import judge
from rc_pipeline.commands.new import new
from rc_pipeline.commands.plan import plan
from rc_pipeline.commands.rehearse import rehearse
from rc_pipeline.commands.report import report
from rc_pipeline.commands.score import score
from rc_pipeline.commands.submission import submission
from rc_pipeline.commands.templates import templates
from rc_pipeline.commands.xray import xray
from rc_pipeline.lake.differences import flatten
from rc_pipeline.lake.planner import Cached, ToBuild, Unknown
from rc_pipeline.lake.upkeep import accept as accept_keys
from rc_pipeline.lake.upkeep import collect, rubbish
from rc_pipeline.lake.upkeep import discard as discard_paths
from rc_pipeline.lake.upkeep import verify as verify_lake

READING = {"SELECT", "EXPLAIN", "MULTI"}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
def main() -> None:
    """Plan, explain and look after what the lake holds. RC_LAKE moves the lake."""


@main.command()
@click.argument("key")
@reported
def why(key: str) -> None:
    """Tell what KEY is built from, down to files and fields, and why it stands or does not."""
    _, lake = open_lake()
    planner, node = lake.planner(), lake.graph[key]
    match planner.state(key):
        case Cached(artifact):
            page = artifact.manifest
            click.echo(f"{key} stands: {artifact.folder}")
            click.echo(f"  built at {page.provenance['built_at']} in {page.seconds:.1f} s, content {page.content[:16]}")
            for note in page.carried:
                click.echo(f"  carried over from {note['from']}: {note['why']}")
        case ToBuild(reason):
            click.echo(f"{key} has to be built: {reason}")
        case Unknown(waits_for):
            click.echo(f"{key} depends on what these turn out to say: {', '.join(waits_for)}")
    for file in sorted(set(node.origins.values())):
        click.echo(f"  catalog   {file}")
    for name, value in flatten(dict(node.settings)).items():
        click.echo(f"  setting   {name} = {json.dumps(value, ensure_ascii=False)[:100]}")
    for name, path in node.files.items():
        click.echo(f"  file      {name}: {path}")
    for need in node.needs.values():
        state = planner.state(need.key)
        click.echo(f"  upstream  {need.key} {need.only}: {'stands' if isinstance(state, Cached) else 'does not stand'}")
    for module in node.code:
        click.echo(f"  code      {module}")


@main.command()
@click.argument("keys", nargs=-1, required=True)
@reported
def accept(keys: tuple[str, ...]) -> None:
    """Record that a code change leaves KEYS (patterns such as 'adapters/*') as they are."""
    _, lake = open_lake()
    verdicts = accept_keys(lake, keys)
    for key, verdict in verdicts.items():
        click.echo(f"{key}: {verdict}")
    if not verdicts:
        click.echo("nothing that is stored matches")


@main.command()
@click.option("--dry-run", is_flag=True, help="Only list what would be deleted.")
@reported
def gc(dry_run: bool) -> None:
    """Delete artifacts that no study needs, and what dead builds left behind."""
    _, lake = open_lake()
    found = rubbish(lake) if dry_run else collect(lake, _say_busy)
    for item in found:
        click.echo(f"{item.what}  {item.path.relative_to(lake.root)}  {item.bytes / 2**20:.1f} MiB")
    total = sum(item.bytes for item in found) / 2**20
    click.echo(f"{'would free' if dry_run else 'freed'} {total:.1f} MiB in {len(found)} places")


@main.command()
@click.option("--discard", is_flag=True, help="Delete damaged artifacts, so that the next run builds them again.")
@reported
def verify(discard: bool) -> None:
    """Hash everything in the store again and name what is damaged."""
    _, lake = open_lake()
    found = verify_lake(lake)
    for problem in found.problems:
        click.echo(problem)
    click.echo(f"{found.artifacts} artifacts, {len(found.problems)} problems")
    if discard:
        discard_paths(lake, found.damaged, _say_busy)
        click.echo(f"discarded {len(found.damaged)}; the next run that needs them builds them again")
    elif found.problems:
        click.echo("`rc-pipeline verify --discard` deletes the damaged artifacts; the next run builds them again.")
    sys.exit(1 if found.problems and not discard else 0)


@main.command()
@click.argument("keys", nargs=-1, required=True)
@reported
def discard(keys: tuple[str, ...]) -> None:
    """Delete the latest artifacts of KEYS, so that the next run builds them again."""
    _, lake = open_lake()
    heads = {key: lake.store.head(lake.graph[key].key) for key in keys}
    discard_paths(lake, [head.folder for head in heads.values() if head is not None], _say_busy)
    for key, head in heads.items():
        click.echo(f"{key}: {'discarded' if head is not None else 'nothing is stored'}")


def _say_busy() -> None:
    click.echo("a build is under way; waiting for it to end", err=True)


@main.command()
@click.argument("query")
@reported
def sql(query: str) -> None:
    """Ask the warehouse, read-only: rc-pipeline sql "FROM scores"."""
    import duckdb

    lake = open_lake()[1]
    try:
        with lake.warehouse.connect() as connection:
            kinds = {str(statement.type).rsplit(".", 1)[-1] for statement in connection.extract_statements(query)}
            if not kinds <= READING:
                raise ValueError(f"{', '.join(sorted(kinds - READING))}: the warehouse is read-only; ask with SELECT")
            answer = connection.sql(query)
            if answer is not None:
                width = shutil.get_terminal_size((200, 24)).columns
                answer.show(max_width=width, max_rows=1000)
    except duckdb.Error as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.argument("study")
@reported
def compare(study: str) -> None:
    """Print the comparison that STUDY's report makes, once it is built."""
    _, lake = open_lake()
    state = lake.planner().state(f"reports/{study}")
    if not isinstance(state, Cached) or state.artifact.manifest.refused_by():
        raise click.ClickException(f"reports/{study} does not stand; `rc-pipeline plan {study}` says why")
    click.echo((state.artifact.folder / "comparison.txt").read_text(encoding="utf-8").rstrip("\n"))
    folder, here = lake.store.heads / "reports" / study, Path.cwd()
    shown = folder.relative_to(here) if folder.is_relative_to(here) else folder
    paper = next(name for name in ("_report.pdf", "report.tex") if (folder / name).is_file())
    click.echo(f"\nreport: {shown / 'report.html'}\npaper:  {shown / paper}")


main.add_command(plan)
main.add_command(chat)
main.add_command(doctor)
main.add_command(export)
main.add_command(judge)
main.add_command(new)
main.add_command(rehearse)
main.add_command(report)
main.add_command(score)
main.add_command(submission)
main.add_command(xray)
main.add_command(templates)

if __name__ == "__main__":
    main()
