"""`rc-pipeline new`: a commented starting file that works as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from rc_pipeline.catalog.formats import FORMATS
from rc_pipeline.catalog.models import Family
from rc_pipeline.catalog.problems import nearest
from rc_pipeline.catalog.validation import NAME_PATTERN, NAME_REMEDY
from rc_pipeline.commands.entry import reported
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lake.durable import write_atomically
from rc_pipeline.lake.folder import lake_folder

if TYPE_CHECKING:
    from rc_pipeline.catalog import Catalog

CATALOG = PROJECT / "catalog"


@click.group()
def new() -> None:
    """Write a starting file of the catalog, commented and working as it is."""


def _checked_name(_: click.Context, __: click.Parameter, name: str) -> str:
    if not re.fullmatch(NAME_PATTERN, name):
        raise click.BadParameter(f"{name!r}: {NAME_REMEDY}")
    return name


NAME = click.argument("name", callback=_checked_name)


@new.command()
@NAME
@click.option("--format", "fmt", type=click.Choice(FORMATS), default="records", show_default=True,
              help="How the raw files are laid out.")  # fmt: skip
@reported
def dataset(name: str, fmt: str) -> None:
    """Write catalog/datasets/NAME.yaml, and an example of its raw files in the inbox where none are."""
    from rc_pipeline.starting.texts import dataset_text, example_files

    _write(CATALOG / "datasets" / f"{name}.yaml", dataset_text(name, fmt))
    inbox = lake_folder() / "inbox" / name
    files = example_files(fmt)
    if inbox.exists():
        click.echo(f"{_shown(inbox)} is there already and stays as it is; name its files in the dataset's file")
        files = {}
    for file, text in files.items():
        _write(inbox / file, text)
    if files:
        click.echo("Put your own files in their place.")
    _next(f"make build KEY=instructions/{name}", "rc-pipeline new study my_study --dataset " + name)


@new.command()
@click.argument("dataset")
@NAME
@click.option("--language", default="en", show_default=True, help="Language of the template, such as zh.")
@reported
def template(dataset: str, name: str, language: str) -> None:
    """Write a task template NAME for DATASET, of its own columns."""
    from rc_pipeline.starting.texts import template_text

    found = _catalog()
    if dataset not in found.datasets:
        raise ValueError(f"{dataset}: no such dataset; {nearest(dataset, found.datasets)}")
    card = found.datasets[dataset]
    path = CATALOG / "tasks" / card.tasks / f"{name}.yaml"
    _write(path, template_text(card.template_columns, card.passage_column, language))
    sharing = sorted(each for each, other in found.datasets.items() if other.tasks == card.tasks and each != dataset)
    if sharing:
        click.echo(f"Its folder also serves {', '.join(sharing)}.")
    _next(f"make build KEY=instructions/{dataset}", "rc-pipeline plan")


@new.command()
@NAME
@click.option("--family", type=click.Choice(get_args(Family)), help="Architecture; told by config.json where it lies.")
@reported
def model(name: str, family: str | None) -> None:
    """Write catalog/models/NAME.yaml for the checkpoint in the inbox's folder models/NAME."""
    from rc_pipeline.starting.texts import model_text

    folder = lake_folder() / "inbox" / "models" / name
    _write(CATALOG / "models" / f"{name}.yaml", model_text(name, _config(folder), family))
    if not (folder / "config.json").is_file():
        click.echo(f"Put the checkpoint (config.json, weights, tokenizer) into {_shown(folder)}.")
    _next(f"make build KEY=base_models/{name}", f"rc-pipeline new study my_study --model {name}")


@new.command()
@NAME
@click.option("--dataset", default="sample_cosmos", show_default=True, help="What to train on and ask.")
@click.option("--model", default="rc_tiny", show_default=True, help="What to tune.")
@reported
def study(name: str, dataset: str, model: str) -> None:
    """Write catalog/studies/NAME.yaml: a model before and after tuning."""
    from rc_pipeline.starting.texts import study_text

    found = _catalog()
    for kind, asked, known in (("dataset", dataset, found.datasets), ("model", model, found.models)):
        if asked not in known:
            raise ValueError(f"--{kind} {asked}: no such {kind}; {nearest(asked, known)}")
    card = found.datasets[dataset]
    evaluated = [split for split in card.splits if split not in {*card.train_splits, *card.facts.unanswered}]
    _write(
        CATALOG / "studies" / f"{name}.yaml",
        study_text(name, dataset, f"{dataset}/{evaluated[0]}" if evaluated else None, model),
    )
    _next(f"rc-pipeline plan {name}", f"make run STUDY={name}")


def _catalog() -> Catalog:
    from rc_pipeline.catalog import load_catalog

    return load_catalog(CATALOG)


def _config(folder: Path) -> dict[str, Any] | None:
    path = folder / "config.json"
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ValueError(f"{path}: cannot be read as JSON ({error}); fetch the checkpoint again") from error
    return found if isinstance(found, dict) else None


def _write(path: Path, text: str) -> None:
    if path.exists():
        raise ValueError(f"{_shown(path)}: there already; choose another name, or delete it first")
    write_atomically(path, text.encode())
    click.echo(f"wrote {_shown(path)}")


def _shown(path: Path) -> Path:
    return path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path


def _next(*commands: str) -> None:
    click.echo("next:")
    for command in commands:
        click.echo(f"  {command}")
