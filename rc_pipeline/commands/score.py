"""`rc-pipeline score`: predictions from elsewhere, scored as the publishers of a benchmark score them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rc_pipeline.commands.entry import reported

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NAMED = 3


@click.group()
def score() -> None:
    """Score a file of predictions by a benchmark's own rules; no lake is needed."""


def _files(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
        click.option("--predictions", type=FILE, required=True, help="Predictions, in the official layout."),
        click.option("--questions", type=FILE, required=True, help="Questions with answers, the official file."),
    ):
        command = option(command)
    return command


@score.command("trivia_qa")
@_files
@reported
def _trivia_qa(questions: Path, predictions: Path, *, as_json: bool) -> None:
    """Exact match and F1 of a JSON object of official key: answer, as TriviaQA's script prints them."""
    from rc_pipeline.official.trivia import evaluate, read_predictions, read_questions

    _show(evaluate(read_questions(questions), read_predictions(predictions)), as_json=as_json)


@score.command("cosmos_qa")
@_files
@reported
def _cosmos_qa(questions: Path, predictions: Path, *, as_json: bool) -> None:
    """Accuracy of a label a line in the order of the questions, or of a CSV with the header id,label."""
    from rc_pipeline.official.cosmos import evaluate, read_predictions, read_questions

    asked = read_questions(questions)
    _show(evaluate(asked, read_predictions(predictions, asked)), as_json=as_json)


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        # Escaped, since a key of somebody's file may hold what no terminal should read, or UTF-8 cannot hold.
        click.echo(json.dumps(found, indent=1))
        return
    intervals = found.pop("intervals")
    for name, value in found.items():
        if isinstance(value, list):
            first = ", ".join(ascii(key)[1:-1] for key in value[:NAMED])
            more = ", …" if len(value) > NAMED else ""
            click.echo(f"{name:15} {len(value)}{f': {first}{more}' if value else ''}")
        else:
            low, high = intervals.get(name, (None, None))
            click.echo(f"{name:15} {value}" + ("" if low is None else f"  [{low:.2f}, {high:.2f}]"))
