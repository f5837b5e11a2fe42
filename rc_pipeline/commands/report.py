"""`rc-pipeline report`: the paper of a study in a folder of yours, as PDF, and checked against the scores."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from rc_pipeline.commands.entry import open_lake, reported, standing
from rc_pipeline.lake.build import Lake

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group()
def report() -> None:
    """The paper of a study: write it into a folder, print it, verify its numbers."""


@report.command("write")
@click.argument("study")
@click.option("--to", type=FOLDER, help="Folder of the paper; reports/STUDY when left out.")
@click.option("--force", is_flag=True, help="Write generated parts anew although they were edited.")
@reported
def _write(study: str, to: Path | None, *, force: bool) -> None:
    """Write the report of STUDY into a folder, and keep what you wrote there between the author's marks."""
    from rc_pipeline.reporting.folder import write_folder

    folder = to or Path("reports") / study
    for note in write_folder(standing(open_lake()[1], f"reports/{study}").folder, folder, study, force=force):
        click.echo(note)
    click.echo(f"{folder / 'report.tex'}  (also report.html, report.md; `rc-pipeline report pdf {study}` prints it)")


@report.command("pdf")
@click.argument("study")
@click.option("--in", "folder", type=FOLDER, help="Folder of the paper; reports/STUDY where that is there.")
@reported
def _pdf(study: str, folder: Path | None) -> None:
    """Compile the paper of STUDY with latexmk or tectonic; tectonic may fetch packages that it lacks."""
    from rc_pipeline.reporting.typeset import typeset

    folder = folder or Path("reports") / study
    if not (folder / "report.tex").is_file():
        raise ValueError(f"{folder / 'report.tex'} is not there; `rc-pipeline report write {study} --to {folder}` "
                         "writes it")  # fmt: skip
    made = typeset(folder, folder / "report.pdf", offline=False)
    if made.problem:
        raise click.ClickException(made.problem)
    for line in made.overfull:
        click.echo(f"sticks out: {line}", err=True)
    click.echo(str(folder / "report.pdf"))


@report.command("verify")
@click.argument("study")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@reported
def _verify(study: str, paths: tuple[Path, ...]) -> None:
    """Compute every number of STUDY's report again and hold PATHS (files or folders; the built report) against it."""
    from rc_pipeline.reporting.build import write_parts
    from rc_pipeline.reporting.folder import TEXTS
    from rc_pipeline.reporting.study import Study, files_of, read_study
    from rc_pipeline.reporting.verify import wrong_numbers, wrong_scores

    lake = open_lake()[1]
    built = standing(lake, f"reports/{study}").folder
    settings = dict(lake.graph[f"reports/{study}"].settings)
    files = files_of(settings, _inputs(lake, f"reports/{study}"))
    read: Study = read_study(files=files, **settings)  # type: ignore[arg-type]
    asked = [
        file for path in paths or (built,) for file in ([path / name for name in TEXTS] if path.is_dir() else [path])
    ]
    problems = wrong_scores(read)
    with TemporaryDirectory() as fresh:
        write_parts(read, Path(fresh))
        for file in asked:
            twin = Path(fresh) / f"report{file.suffix}"
            if not twin.is_file():
                raise ValueError(f"{file}: a report is {', '.join(TEXTS)}; name one of these, or their folder")
            problems += wrong_numbers(file, twin)
        count = (Path(fresh) / "numbers.json").read_text(encoding="utf-8").count('"text":')
    for problem in problems:
        click.echo(problem)
    click.echo(f"{count} numbers computed again, {len(asked)} files read, {len(problems)} problems")
    sys.exit(1 if problems else 0)


def _inputs(lake: Lake, key: str) -> dict[str, Path]:
    """Return the folders that an artifact is built from, by the role that each plays."""
    return {role: standing(lake, need.key).folder for role, need in lake.graph[key].needs.items()}
