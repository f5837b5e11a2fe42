"""`rc-pipeline doctor`: whether everything is ready, and what to do where it is not."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from rc_pipeline.checkup.findings import State
from rc_pipeline.commands.entry import reported
from rc_pipeline.lake.folder import lake_folder

WIDTH = 27


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@reported
def doctor(as_json: bool) -> None:
    """Check Python, packages, GPU, memory, disk, catalog, data and weights; exit 1 if something is broken."""
    from rc_pipeline.checkup.machine import machine
    from rc_pipeline.checkup.project import project

    found = []
    for findings in (machine(), project(lake_folder())):
        for one in findings:
            found.append(one)
            if not as_json:
                click.echo(f"{one.state:8} {one.subject:{WIDTH}} {one.says}")
                if one.remedy:
                    click.echo(f"{'':8} {'':{WIDTH}} → {one.remedy}")
    states = [one.state for one in found]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=1, ensure_ascii=False))
    else:
        words: dict[State, str] = {"problem": "problems", "warning": "warnings", "absent": "absent", "ok": "ok"}
        click.echo(", ".join(f"{states.count(state)} {word}" for state, word in words.items()))
    sys.exit(1 if "problem" in states else 0)
