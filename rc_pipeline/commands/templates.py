"""`rc-pipeline templates propose`: new task templates, asked of a language model."""

from __future__ import annotations

import os
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rc_pipeline.catalog import Catalog
from rc_pipeline.catalog.formats import FACTS
from rc_pipeline.catalog.problems import nearest
from rc_pipeline.commands.entry import open_lake, reported, standing
from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.code import PROJECT

if TYPE_CHECKING:
    from rc_pipeline.proposing.judging import Task
    from rc_pipeline.proposing.propose import Asked, Proposals

ROWS_TRIED = 50


@click.group()
def templates() -> None:
    """Task templates of the catalog."""


@templates.command()
@click.argument("dataset")
@click.option("--count", type=click.IntRange(1, 1000), default=20, show_default=True, help="Templates to keep.")
@click.option("--model", help="Model of the catalog, asked on this machine.")
@click.option(
    "--endpoint", help="OpenAI-compatible address such as https://host/v1, else RC_ENDPOINT; key: RC_API_KEY."
)
@click.option("--endpoint-model", default="", help="What the endpoint calls its model.")
@click.option("--language", default="en", show_default=True, help="Language of the templates' words.")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws the templates that are shown.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder; catalog/tasks/... if left out.")
@reported
def propose(dataset: str, out: Path | None, count: int, seed: int, language: str, **which: Any) -> None:
    """Ask a language model for more task templates of DATASET (or of a folder of catalog/tasks) and keep sound ones.

    The model is shown templates and the names of columns, never a row.
    """
    from rc_pipeline.proposing.propose import propose as propose_templates
    from rc_pipeline.proposing.writing import write_templates

    lineage, lake = open_lake()
    task = _task(lineage.catalog, lake, dataset, language)
    asked = _asked(lineage.catalog, lake, **which)
    found = propose_templates(
        task, asked, count=count, seed=seed, secret=_key(), say=lambda line: click.echo(line, err=True)
    )
    files = write_templates(list(found.kept.values()), out or lineage.catalog.root / "tasks" / task.folder, asked.name)
    _print(found, files, count)


def _task(catalog: Catalog, lake: Lake, name: str, language: str) -> Task:
    from rc_pipeline.proposing.judging import Task

    folder = catalog.datasets[name].tasks if name in catalog.datasets else name
    if folder not in catalog.tasks and folder not in FACTS:
        raise ValueError(
            f"{name}: no such dataset or folder of templates; {nearest(name, {*catalog.datasets, *catalog.tasks})}"
        )
    using = {key: dataset for key, dataset in catalog.datasets.items() if dataset.tasks == folder}
    columns = [dataset.template_columns for dataset in using.values()] or [FACTS[folder].columns]
    shared = tuple(column for column in columns[0] if all(column in each for each in columns))
    tried = name if name in using else next(iter(using), None)
    if tried is None:
        click.echo(f"no dataset uses catalog/tasks/{folder}: templates are tried on one made-up row", err=True)
        rows, passage = [_made_up(shared)], FACTS[folder].passage
    else:
        rows, passage = _rows(lake, tried), using[tried].passage_column
    return Task(folder, shared, passage, catalog.tasks.get(folder, {}), rows, language)


def _rows(lake: Lake, dataset: str) -> list[dict[str, Any]]:
    """Return the first rows of a dataset, as its templates see them."""
    from rc_pipeline.instructions.rows import row_batches, split_is_present

    node = lake.graph[f"instructions/{dataset}"]
    settings: dict[str, Any] = dict(node.settings)
    tables = standing(lake, node.needs["tables"].key).folder
    passages = standing(lake, node.needs["passages"].key).folder if "passages" in node.needs else None
    # Rows to train on have answers, which a template must show too.
    splits = [*settings["train_splits"], *settings["splits"]]
    present = [split for split in splits if split_is_present(tables, passages, split)]
    batches = row_batches(tables, passages, present[0], settings["columns"])
    return [row for batch in islice(batches, 1) for row in batch.head(ROWS_TRIED).to_dicts()]


def _made_up(columns: tuple[str, ...]) -> dict[str, Any]:
    lists = {"answers", "outputs", "options", "aliases"}
    row = {column: 0 if column == "label" else ["one", "two"] if column in lists else column for column in columns}
    return {"row_id": "made up", **row}


def _key() -> str:
    return os.environ.get("RC_API_KEY", "")


def _asked(catalog: Catalog, lake: Lake, *, model: str | None, endpoint: str | None, endpoint_model: str) -> Asked:
    if model and endpoint:
        raise ValueError("--model and --endpoint: give one of them")
    if model is None:
        from rc_pipeline.endpoints.endpoint import Endpoint

        url = endpoint or os.environ.get("RC_ENDPOINT", "")
        if not url:
            raise ValueError("nobody to ask: give --model of the catalog, or --endpoint (or RC_ENDPOINT)")
        return Endpoint(url, endpoint_model, _key())
    from rc_pipeline.models.base import base_folder
    from rc_pipeline.proposing.local import LocalModel

    if model not in catalog.models:
        raise ValueError(f"{model}: no such model; {nearest(model, catalog.models)}")
    card = catalog.models[model]
    prompt = catalog.prompts[card.prompt].model_dump(mode="json", exclude={"description"}) | {"name": card.prompt}
    folder = base_folder(standing(lake, f"base_models/{model}").folder)
    return LocalModel(model, folder, family=card.family, prompt=prompt, context_tokens=card.context_tokens)


def _print(found: Proposals, files: list[Path], count: int) -> None:
    from rc_pipeline.xray.visible import shortened, visible

    click.echo(f"kept     {len(files)} of {count} asked for")
    for path, template in zip(files, found.kept.values(), strict=True):
        shown = path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path
        click.echo(f"  {shown}  {shortened(' '.join(template.instruction.split()), 80)}")
    click.echo(f"dropped  {len(found.dropped)}")
    for reason, number in Counter(reason for reason, _ in found.dropped).most_common():
        example = next(detail for each, detail in found.dropped if each == reason)
        click.echo(f"  {number:4}  {reason:22} {shortened(visible(' '.join(example.split())), 120)}")
    if files:
        click.echo("Read each before you train with it: mend it, or delete it.")
    if found.failure:
        raise click.ClickException(f"stopped early: {found.failure}")
