"""The nodes of a dataset: raw files, tables, passages, instructions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rc_pipeline.catalog import Catalog
from rc_pipeline.catalog.datasets import Dataset, Passages
from rc_pipeline.catalog.eval_sets import ways_to_ask
from rc_pipeline.instructions.probes import BY_DOCUMENT
from rc_pipeline.lake.graph import Need, Node
from rc_pipeline.lake.outcome import JSON
from rc_pipeline.lineage.facts import about_of
from rc_pipeline.stages import CODE

SHOT_ROWS = 2000


def dataset_nodes(catalog: Catalog, name: str, inbox: Path) -> Iterator[Node]:
    """Yield what is built of a dataset before any model reads it."""
    dataset = catalog.datasets[name]
    origin = {"": catalog.origin("datasets", name)}
    about = about_of(dataset, dataset.format)
    source, files, urls = _source(dataset.source.model_dump(mode="json", exclude_none=True), inbox)
    # Bytes from elsewhere are the same whatever they are read as, and need no second download.
    made: dict[str, JSON] = {"format": dataset.format} if "sample" in source else {}
    yield Node(
        key=f"raw/{name}", stage="raw", settings=made | {"source": source}, files=files,
        code=CODE["raw"], origins=origin, about=about | {"urls": urls},
    )  # fmt: skip
    options: dict[str, Any] = {
        # A mapping has no order to a fingerprint, so it must have none to a table.
        "columns": dict(sorted(dataset.columns.items())),
        "languages": dataset.languages and dataset.languages.model_dump(),
    }
    yield Node(
        key=f"tables/{name}", stage="tables", files=files, needs={"raw": Need(f"raw/{name}")},
        settings={"dataset": name, "format": dataset.format, "tolerated": dataset.tolerated_bad_rows,
                  "options": {key: value for key, value in options.items() if value},
                  "expected": dict(dataset.expected_rows)},
        code=CODE[f"tables of {dataset.format}"], origins=origin, about=about,
    )  # fmt: skip
    asked_as = ways_to_ask({each for run in catalog.runs.values() for each in run.evaluate_on}, name)
    needs = {"tables": Need(f"tables/{name}")}
    for role, passages in _passages(name, dataset, asked_as, origin, about).items():
        needs[role] = Need(passages.key)
        yield passages
    templates = catalog.tasks[dataset.tasks]
    yield Node(
        key=f"instructions/{name}",
        stage="instructions",
        settings={
            "dataset": name,
            "format": dataset.format,
            "columns": list(dataset.template_columns),
            "passage_column": dataset.passage_column,
            "templates": {key: template.model_dump(mode="json", exclude={"description"})
                          for key, template in templates.items()},
            "train_splits": list(dataset.train_splits),
            "splits": list(dataset.facts.splits),
            "unanswered": [*sorted(dataset.facts.unanswered)],
            "holdout": dataset.model_dump(include={"holdout"})["holdout"],
            "duplicates": dataset.duplicates,
            "shot_rows": _shot_rows(catalog, name),
            "evaluate_on": {f"{split}.{way}": True for split, ways in asked_as.items() for way in ways},
            "seed": 0,
        },
        needs=needs,
        code=CODE["instructions"],
        origins=origin
        | {f"templates.{key}": catalog.origin("tasks", f"{dataset.tasks}/{key}") for key in templates}
        | _studies_that_ask(catalog, name, asked_as),
        about=about,
    )  # fmt: skip


def _studies_that_ask(catalog: Catalog, name: str, asked_as: Mapping[str, list[str]]) -> dict[str, str]:
    """Return what decides which probes there are, and whether rows stand ready as examples: files of studies."""
    found = dict.fromkeys(("evaluate_on", "shot_rows"), f"{catalog.root.name}/studies")
    for split, ways in asked_as.items():
        for way in ways:
            asking = (
                study for study, told in sorted(catalog.studies.items()) if f"{name}/{split}.{way}" in told.evaluate_on
            )
            found[f"evaluate_on.{split}.{way}"] = catalog.origin("studies", next(asking))
    return found


def _passages(
    name: str, dataset: Dataset, asked_as: Mapping[str, list[str]], origin: dict[str, str], about: dict[str, JSON]
) -> dict[str, Node]:
    """Return the nodes that choose what a question is given of its documents: of all together, and of each alone."""
    if dataset.format != "trivia_qa":
        return {}
    choice = dataset.passages or Passages()

    def node(key: str, splits: Sequence[str], train_splits: Sequence[str], *, by_document: bool) -> Node:
        return Node(
            key=key, stage="passages",
            settings={"dataset": name, "splits": list(splits), "train_splits": list(train_splits),
                      "by_document": by_document, "tokens": choice.tokens, "window_tokens": choice.window_tokens},
            needs={"tables": Need(f"tables/{name}")}, code=CODE["passages"], origins=origin, about=about,
        )  # fmt: skip

    found = {"passages": node(f"passages/{name}", dataset.facts.splits, dataset.train_splits, by_document=False)}
    alone = [split for split, ways in asked_as.items() if BY_DOCUMENT in ways]
    if alone:
        found["documents"] = node(f"document_passages/{name}", alone, [], by_document=True)
    return found


def _source(source: dict[str, Any], inbox: Path) -> tuple[dict[str, JSON], dict[str, Path], dict[str, JSON]]:
    """Split a source into what decides content, where the user's files lie, and the URLs of downloads."""
    if "files" in source:
        return {"files": sorted(source["files"])}, {name: inbox / path for name, path in source["files"].items()}, {}
    if "download" in source:
        # The checksum says which bytes they are; a URL may change, or hold a key that no manifest should keep.
        files = source["download"].items()
        return {"download": {n: {"sha256": f["sha256"]} for n, f in files}}, {}, {n: f["url"] for n, f in files}
    return source, {}, {}


def _shot_rows(catalog: Catalog, dataset: str) -> int:
    """Return how many training rows of a dataset stand ready as examples: none that no run asks for."""
    asked = (
        run.prompt.shots
        and (dataset in run.train_on or any(name.startswith(f"{dataset}/") for name in run.evaluate_on))
        for run in catalog.runs.values()
    )
    return SHOT_ROWS if any(asked) else 0
