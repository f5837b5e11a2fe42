"""`rc-pipeline xray`: the exact tokens that a model sees of a dataset's rows."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rc_pipeline.catalog import Catalog
from rc_pipeline.catalog.models import FolderSource, ShippedSource
from rc_pipeline.catalog.problems import nearest
from rc_pipeline.catalog.settings import Answer, Tune
from rc_pipeline.commands.entry import open_lake, reported, standing
from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.planner import Cached
from rc_pipeline.lineage import SHIPPED

if TYPE_CHECKING:
    from rc_pipeline.xray.page import Section
    from rc_pipeline.xray.tokens import Limits


@click.command()
@click.option("--model", "models", multiple=True, required=True, help="Model of the catalog; may be given again.")
@click.option("--dataset", required=True, help="Dataset of the catalog.")
@click.option("--split", help="Split; the first that is trained on when left out.")
@click.option("--row", help="Id of a row or an instruction; the first row of each template when left out.")
@click.option("--template", help="Only this task template.")
@click.option("--prompt", help="Prompt template of catalog/prompts; the model's own when left out.")
@click.option("--max-tokens", type=click.IntRange(min=16), help="Longest row, as tune.max_tokens of a run.")
@click.option("--loss-on", type=click.Choice(["answer", "everything"]), default="answer", show_default=True)
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page (.html) instead.")
@reported
def xray(html: Path | None, **asked: Any) -> None:
    """Show the exact tokens of rows as a model sees them: masked, trained, special, cut."""
    if html is not None and html.suffix not in (".html", ".htm"):
        raise ValueError(f"--html {html}: a page's name ends in .html")
    lineage, lake = open_lake()
    sections = list(_sections(lineage.catalog, lake, **asked))
    if html is None:
        _print(sections)
        return
    from rc_pipeline.lake.durable import write_atomically
    from rc_pipeline.xray.page import html_page

    write_atomically(html, html_page(sections).encode())
    click.echo(f"{sum(len(section.xrays) for section in sections)} rows: {html.absolute()}")


def _sections(  # noqa: PLR0913 - the command's options, by name
    catalog: Catalog,
    lake: Lake,
    *,
    models: tuple[str, ...],
    dataset: str,
    split: str | None,
    row: str | None,
    template: str | None,
    prompt: str | None,
    max_tokens: int | None,
    loss_on: str,
) -> Iterator[Section]:
    from rc_pipeline.models.families import ENCODER_DECODERS
    from rc_pipeline.models.loading import load_tokenizer
    from rc_pipeline.prompting.reading import read_prompt
    from rc_pipeline.xray.page import Section
    from rc_pipeline.xray.rows import rows_to_show
    from rc_pipeline.xray.tokens import xray as xray_of

    card = _known(catalog.datasets, dataset, "dataset")
    for name in models:
        _known(catalog.models, name, "model")
    files = {Path(name).stem: path for name, path in _files(lake, dataset).items()}
    chosen = split or next((name for name in card.train_splits if name in files), next(iter(files)))
    rows = rows_to_show(_known(files, chosen, "split"), row=row, template=template)
    for name in models:
        model = catalog.models[name]
        text = _known(catalog.prompts, prompt or model.prompt, "prompt template")
        tokenizer = load_tokenizer(_tokenizer_folder(catalog, lake, name))
        form = read_prompt(
            text.model_dump(mode="json", exclude={"description"}) | {"name": prompt or model.prompt},
            tokenizer,
            ends_prompt=model.family in ENCODER_DECODERS,
        )
        limits = _limits(model.context_tokens, max_tokens, loss_on, training=chosen in card.train_splits)
        xrays = [xray_of(each, tokenizer, form, limits) for each in rows]
        yield Section(name, prompt or model.prompt, f"{dataset}/{chosen}", xrays)


def _limits(context_tokens: int, max_tokens: int | None, loss_on: str, *, training: bool) -> Limits:
    """Return the limits of training, or of prediction on splits that nothing is trained on, as runs have them."""
    from rc_pipeline.xray.tokens import Limits

    usual = min(Tune().max_tokens, context_tokens) if training else context_tokens
    return Limits(max_tokens or usual, loss_on, with_answer=training, new_tokens=Answer().max_new_tokens)


def _files(lake: Lake, dataset: str) -> dict[str, Path]:
    artifact = standing(lake, f"instructions/{dataset}")
    return {name: artifact.folder / name for name in artifact.manifest.results().tables["instructions"]}


def _tokenizer_folder(catalog: Catalog, lake: Lake, name: str) -> Path:
    """Return where a model's tokenizer lies: in its artifact, or where it comes from, since no weights are needed."""
    from rc_pipeline.models.base import base_folder

    state = lake.planner().state(f"base_models/{name}")
    match catalog.models[name].source:
        case _ if isinstance(state, Cached):
            return base_folder(state.artifact.folder)
        case ShippedSource(shipped=shipped):
            return SHIPPED / shipped
        case FolderSource(folder=folder) if (lake.root / "inbox" / folder / "tokenizer.json").is_file():
            return lake.root / "inbox" / folder
    return base_folder(standing(lake, f"base_models/{name}").folder)


def _known(things: dict[str, Any], name: str, what: str) -> Any:
    if name not in things:
        raise ValueError(f"{name}: no such {what}; {nearest(name, things)}")
    return things[name]


def _print(sections: list[Section]) -> None:
    from rc_pipeline.xray.terminal import in_words, terminal_lines
    from rc_pipeline.xray.visible import visible

    # https://no-color.org: set and not empty, whatever it says.
    colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = shutil.get_terminal_size((100, 24)).columns
    for section in sections:
        for found in section.xrays:
            click.echo(
                f"{section.dataset}  {visible(str(found.row['row_id']))}  template {found.row['template']}\n"
                f"{section.model}, prompt {section.prompt}: {in_words(found)}\n"
            )
            for line in terminal_lines(found, width=width, colours=colours):
                click.echo(line, color=colours)
            if not found.limits.with_answer and found.row.get("output") is not None:
                click.echo(f"\nexpected: {visible(found.row['output'])}")
            click.echo()
