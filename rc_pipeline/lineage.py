"""From the catalog to the lineage: one node for everything that can be built.

A node's settings are the slice of the catalog that decides its content, and nothing else:
titles, descriptions and owners go into `about`, so that a better wording rebuilds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rc_pipeline.catalog import Catalog, load_catalog
from rc_pipeline.catalog.datasets import Dataset, Passages
from rc_pipeline.catalog.models import BaseModelCard, FolderSource, ShippedSource
from rc_pipeline.catalog.runs import Run
from rc_pipeline.catalog.settings import Mixture
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lake.graph import Graph, Need, Node
from rc_pipeline.lake.outcome import JSON
from rc_pipeline.models.base import NOT_YET
from rc_pipeline.stages import CODE

SHIPPED = PROJECT / "rc_pipeline" / "models"
SHOTS = "shots.parquet"
SHOT_ROWS = 2000


@dataclass(frozen=True)
class Lineage:
    """The catalog and the graph that it describes, for one lake."""

    catalog: Catalog
    graph: Graph

    def study(self, name: str) -> list[str]:
        """Return what a study's job builds: its report and all that it is built from."""
        return self.graph.upstream([f"reports/{name}"])


def load_lineage(catalog: Path = PROJECT / "catalog", lake: Path = PROJECT / "data_lake") -> Lineage:
    """Read the catalog and lay out the lineage; files that users provide lie under `<lake>/inbox`."""
    loaded = load_catalog(catalog)
    return Lineage(loaded, Graph(_nodes(loaded, lake / "inbox")))


def _nodes(catalog: Catalog, inbox: Path) -> Iterator[Node]:
    for name in catalog.datasets:
        yield from _dataset_nodes(catalog, name, inbox)
    for name, card in catalog.models.items():
        yield _base_model(catalog, name, card, inbox)
    for run in catalog.runs.values():
        yield from _run_nodes(catalog, run, inbox)
    for name in catalog.studies:
        yield _report(catalog, name)


def _dataset_nodes(catalog: Catalog, name: str, inbox: Path) -> Iterator[Node]:
    dataset = catalog.datasets[name]
    origin = {"": catalog.origin("datasets", name)}
    about = _about(dataset, dataset.format)
    source, files = _source(dataset.source.model_dump(mode="json", exclude_none=True), inbox)
    yield Node(
        key=f"raw/{name}", stage="raw", settings={"format": dataset.format, "source": source}, files=files,
        code=CODE["raw"], origins=origin, about=about,
    )  # fmt: skip
    options: dict[str, Any] = {
        "columns": dict(dataset.columns),
        "languages": dataset.languages and dataset.languages.model_dump(),
    }
    yield Node(
        key=f"tables/{name}", stage="tables", files=files, needs={"raw": Need(f"raw/{name}")},
        settings={"dataset": name, "format": dataset.format, "tolerated": dataset.tolerated_bad_rows,
                  "options": {key: value for key, value in options.items() if value},
                  "expected": dict(dataset.expected_rows)},
        code=CODE[f"tables of {dataset.format}"], origins=origin, about=about,
    )  # fmt: skip
    tables = {"tables": Need(f"tables/{name}")}
    passages = _passages(name, dataset, origin, about)
    if passages is not None:
        yield passages
    templates = catalog.tasks[dataset.tasks]
    yield Node(
        key=f"instructions/{name}",
        stage="instructions",
        settings={
            "dataset": name,
            "columns": list(dataset.template_columns),
            "passage_column": dataset.passage_column,
            "templates": {key: template.model_dump(mode="json", exclude={"description"})
                          for key, template in templates.items()},
            "train_splits": list(dataset.train_splits),
            "splits": list(dataset.facts.splits),
            "unanswered": [*sorted(dataset.facts.unanswered)],
            "holdout": dataset.model_dump(include={"holdout"})["holdout"],
            "shot_rows": _shot_rows(catalog, name),
            "seed": 0,
        },
        needs=tables if passages is None else tables | {"passages": Need(passages.key)},
        code=CODE["instructions"],
        origins=origin | {f"templates.{key}": catalog.origin("tasks", f"{dataset.tasks}/{key}") for key in templates},
        about=about,
    )  # fmt: skip


def _passages(name: str, dataset: Dataset, origin: dict[str, str], about: dict[str, JSON]) -> Node | None:
    """Return the node that chooses what a question is given of its documents, where there are documents."""
    if dataset.format != "trivia_qa":
        return None
    choice = dataset.passages or Passages()
    return Node(
        key=f"passages/{name}",
        stage="passages",
        settings={
            "dataset": name,
            "splits": list(dataset.facts.splits),
            "train_splits": list(dataset.train_splits),
            "tokens": choice.tokens,
            "window_tokens": choice.window_tokens,
        },
        needs={"tables": Need(f"tables/{name}")},
        code=CODE["passages"],
        origins=origin,
        about=about,
    )


def _source(source: dict[str, Any], inbox: Path) -> tuple[dict[str, JSON], dict[str, Path]]:
    """Split a source into what decides content and where the user's files lie."""
    if "files" in source:
        return {"files": sorted(source["files"])}, {name: inbox / path for name, path in source["files"].items()}
    return source, {}


def _base_model(catalog: Catalog, name: str, card: BaseModelCard, inbox: Path) -> Node:
    source: dict[str, Any] = card.source.model_dump(mode="json", exclude_none=True)
    if "folder" in source:
        source = {"folder": ""}
    about = _about(card, card.family)
    if card.family in NOT_YET:
        about["not_yet"] = f"family {card.family}: its checkpoints cannot be read yet; use llama, granite, gpt2 or glm"
    return Node(
        key=f"base_models/{name}", stage="base_models", settings={"source": source, "family": card.family},
        files=_weights(card, inbox), code=CODE["base_models"], origins={"": catalog.origin("models", name)},
        about=about,
    )  # fmt: skip


def _weights(card: BaseModelCard, inbox: Path) -> dict[str, Path]:
    """Return the files of a model that lies in a folder; one that has none waits for its config.json."""
    match card.source:
        case ShippedSource(shipped=name):
            folder = SHIPPED / name
        case FolderSource(folder=path):
            folder = inbox / path
        case _:
            return {}
    found = {path.name: path for path in sorted(folder.glob("*")) if _is_weights(path)}
    return found or {"config.json": folder / "config.json"}


def _is_weights(path: Path) -> bool:
    return path.is_file() and path.suffix in {".json", ".safetensors", ".model", ".bin", ".txt", ".jinja"}


def _run_nodes(catalog: Catalog, run: Run, inbox: Path) -> Iterator[Node]:
    card = catalog.models[run.model]
    # A user's own weights are read where they lie now, and hashed before and after.
    files = _weights(card, inbox) if isinstance(card.source, FolderSource) else {}
    # A resolved run names its template; the model's own is filled in when the study names none.
    template = str(run.prompt.template)
    prompt = catalog.prompts[template].model_dump(mode="json", exclude={"description"}) | {"name": template}
    origins = {
        "": run_origin(catalog, run),
        "prompt": catalog.origin("prompts", template),
        "context_tokens": catalog.origin("models", run.model),
        "family": catalog.origin("models", run.model),
    }
    common: dict[str, JSON] = {"prompt": prompt, "context_tokens": card.context_tokens, "family": card.family}
    base = {"base": Need(f"base_models/{run.model}")}
    about: dict[str, JSON] = {"title": run.title, "kinds": [card.family]}
    shots: dict[str, Any] | None = None
    if run.prompt.shots:
        shots = run.prompt.model_dump(exclude={"template"}) | {"seed": run.seed}
    if run.tune is not None:
        yield Node(
            key=f"adapters/{run.name}", stage="adapters",
            settings=common | {"tune": run.tune.model_dump(mode="json"), "rows": dict(run.train_on),
                               "mixture": (run.mixture or Mixture()).model_dump(), "seed": run.seed,
                               "shots": shots},
            needs=base | _shot_needs(run, *run.train_on) | {
                f"train.{name}.{split}": Need(f"instructions/{name}", f"{split}.parquet")
                for name in run.train_on for split in catalog.datasets[name].train_splits},
            files=files, code=CODE["adapters"], origins=origins, about=about,
        )  # fmt: skip
    for eval_set, rows in run.evaluate_on.items():
        name, split = eval_set.split("/")
        asked_by = {"rows": run_origin(catalog, run, eval_set)}
        key = f"{run.name}/{eval_set}"
        instructions = Need(f"instructions/{name}", f"{split}.parquet")
        adapter = {} if run.tune is None else {"adapter": Need(f"adapters/{run.name}")}
        yield Node(
            key=f"predictions/{key}", stage="predictions",
            settings=common | {"run": run.name, "eval_set": eval_set, "rows": rows, "shots": shots,
                               "answer": run.answer.model_dump(mode="json"),
                               "seed": run.seed if run.answer.temperature else 0},
            needs=base | adapter | {"instructions": instructions} | _shot_needs(run, name),
            files=files, code=CODE["predictions"], origins=origins | asked_by, about=about,
        )  # fmt: skip
        yield Node(
            key=f"scores/{key}", stage="scores",
            settings={"run": run.name, "eval_set": eval_set, "format": catalog.datasets[name].format, "rows": rows,
                      "seed": 0},
            needs={"predictions": Need(f"predictions/{key}"), "instructions": instructions},
            code=CODE["scores"], origins={"": origins[""]} | asked_by, about=about,
        )  # fmt: skip


def _shot_needs(run: Run, *datasets: str) -> dict[str, Need]:
    """Return the training rows that a run draws its solved examples from."""
    return {f"shots.{name}": Need(f"instructions/{name}", SHOTS) for name in datasets if run.prompt.shots}


def _shot_rows(catalog: Catalog, dataset: str) -> int:
    """Return how many training rows of a dataset stand ready as examples: none that no run asks for."""
    asked = (
        run.prompt.shots
        and (dataset in run.train_on or any(name.startswith(f"{dataset}/") for name in run.evaluate_on))
        for run in catalog.runs.values()
    )
    return SHOT_ROWS if any(asked) else 0


def run_origin(catalog: Catalog, run: Run, eval_set: str | None = None) -> str:
    """Return the study file in which a run is first named, or first asked to answer an evaluation set."""
    return next(
        catalog.origin("studies", study)
        for study, runs in catalog.study_runs.items()
        if run.name in runs.values() and (eval_set is None or eval_set in catalog.studies[study].evaluate_on)
    )


def _report(catalog: Catalog, name: str) -> Node:
    study = catalog.studies[name]
    runs = [_run_facts(label, catalog.runs[run]) for label, run in catalog.study_runs[name].items()]
    eval_sets = list(study.evaluate_on)
    canonical = sorted({str(run["run"]) for run in runs})
    tuned = [run for run in canonical if catalog.runs[run].tune is not None]
    scored = [f"{run}/{eval_set}" for run in canonical for eval_set in eval_sets]
    needs = {f"scores.{key}": Need(f"scores/{key}") for key in scored}
    return Node(
        key=f"reports/{name}",
        stage="reports",
        settings={"study": name, "title": study.title, "description": study.description, "runs": list(runs),
                  "eval_sets": list(eval_sets)},
        needs=needs | {f"training.{run}": Need(f"adapters/{run}", "training.json") for run in tuned},
        code=CODE["reports"],
        origins={"": catalog.origin("studies", name)},
        about=_about(study),
    )  # fmt: skip


def _run_facts(label: str, run: Run) -> dict[str, JSON]:
    tune = None if run.tune is None else run.tune.model_dump(mode="json")
    return {
        "label": label, "run": run.name, "model": run.model, "title": run.title, "tuned": tune is not None,
        "method": None if run.tune is None else run.tune.method, "tune": tune,
        "prompt": run.prompt.model_dump(mode="json"),
    }  # fmt: skip


def _about(thing: Dataset | BaseModelCard | Any, *kinds: str) -> dict[str, JSON]:
    return {
        "title": thing.title,
        "description": thing.description,
        "owners": list(thing.owners),
        "homepage": getattr(thing, "homepage", ""),
        "license": getattr(thing, "license", ""),
        "kinds": list(kinds),
    }
