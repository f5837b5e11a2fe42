"""`rc-pipeline export`: an instruction set as files for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rc_pipeline.commands.entry import open_lake, reported, standing
from rc_pipeline.exporting.layouts import LAYOUTS


@click.command()
@click.argument("dataset")
@click.option("--format", "form", type=click.Choice(list(LAYOUTS)), required=True, help="What the files look like.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write; it must not exist yet.")
@click.option("--rows", type=click.IntRange(min=1), help="At most so many rows of each split, as training takes them.")
@click.option("--template", help="Only the rows of this task template.")
@click.option("--force", is_flag=True, help="Replace an earlier export in the same folder.")
@reported
def export(dataset: str, out: Path, *, force: bool, **wanted: Any) -> None:
    """Write the instructions of DATASET, or of one split (DATASET/SPLIT), in another tool's format."""
    from rc_pipeline.exporting.export import Source, Wanted, export_instructions
    from rc_pipeline.exporting.folder import PROVENANCE, refuse_to_replace

    out = out.absolute()
    refuse_to_replace(out, force=force)
    name, _, split = dataset.partition("/")
    source = Source.of(standing(open_lake()[1], f"instructions/{name}"), name)
    for one in export_instructions(source, Wanted(splits=[split] if split else [], **wanted), out, force=force):
        left = "".join(f"; left out: {count} {reason}" for reason, count in one.left_out.items())
        counts = ", ".join(f"{template} {count}" for template, count in one.templates.items())
        click.echo(f"{one.split}: {one.rows} rows{f' ({counts})' if counts else ''}{left}")
    click.echo(f"{out}  ({wanted['form']}; {PROVENANCE} tells where it came from)")
