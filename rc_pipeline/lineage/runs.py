"""The nodes of models and runs: base models, adapters, predictions, scores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rc_pipeline.catalog import Catalog
from rc_pipeline.catalog.models import BaseModelCard, FolderSource, ShippedSource
from rc_pipeline.catalog.runs import Run
from rc_pipeline.catalog.settings import Mixture
from rc_pipeline.catalog.sources import IdentitySource
from rc_pipeline.instructions.drawing import shots_file
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lake.graph import Need, Node
from rc_pipeline.lake.outcome import JSON
from rc_pipeline.lineage.facts import about_of
from rc_pipeline.models.families import read_in_place, wanted
from rc_pipeline.stages import CODE

SHIPPED = PROJECT / "rc_pipeline" / "models"


def base_model(catalog: Catalog, name: str, card: BaseModelCard, inbox: Path) -> Node:
    """Return the node of a base model."""
    source: dict[str, Any] = card.source.model_dump(mode="json", exclude_none=True)
    if "folder" in source:
        source = {"folder": ""}
    return Node(
        key=f"base_models/{name}", stage="base_models", settings={"source": source, "family": card.family},
        files=_weights(card, inbox), code=CODE["base_models"], origins={"": catalog.origin("models", name)},
        about=about_of(card, card.family),
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
    names = wanted(path.name for path in folder.glob("*") if path.is_file())
    return {name: folder / name for name in names or ["config.json"]}


def _weights_in_place(card: BaseModelCard, inbox: Path) -> dict[str, Path]:
    """Return the files that a run loads from a user's own folder; none of a checkpoint that is converted first."""
    if not isinstance(card.source, FolderSource):
        return {}
    files = _weights(card, inbox)
    return files if read_in_place(card.family, files) else {}


def run_nodes(catalog: Catalog, run: Run, inbox: Path) -> Iterator[Node]:
    """Yield the adapter of a run, and its predictions and scores on every evaluation set."""
    card = catalog.models[run.model]
    # A user's own weights are read where they lie now, and hashed before and after.
    files = _weights_in_place(card, inbox)
    # A resolved run names its template; the model's own is filled in when the study names none.
    template = str(run.prompt.template)
    prompt = _prompt(catalog, template)
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
            needs=base | _shot_needs(catalog, run, "train", *run.train_on) | {
                f"train.{name}.{split}": Need(f"instructions/{name}", f"{split}.parquet")
                for name in run.train_on for split in catalog.datasets[name].train_splits},
            files=files, code=CODE["adapters"], origins=origins, about=about,
        )  # fmt: skip
    if run.answer.template is not None:
        common["prompt"] = _prompt(catalog, run.answer.template)
        origins = origins | {"prompt": catalog.origin("prompts", run.answer.template)}
    for eval_set, rows in run.evaluate_on.items():
        name, split = eval_set.split("/")
        asked_by = {"rows": run_origin(catalog, run, eval_set)}
        judged_by = dict.fromkeys(("scored_as", "about"), catalog.origin("datasets", name))
        key = f"{run.name}/{eval_set}"
        instructions = Need(f"instructions/{name}", f"{split}.parquet")
        shot_needs = _shot_needs(catalog, run, _asked_by(catalog, name, split), name)
        adapter = {} if run.tune is None else {"adapter": Need(f"adapters/{run.name}")}
        yield Node(
            key=f"predictions/{key}", stage="predictions",
            settings=common | {"run": run.name, "eval_set": eval_set, "rows": rows, "shots": shots,
                               "answer": run.answer.model_dump(mode="json"),
                               "seed": run.seed if run.answer.temperature else 0},
            needs=base | adapter | {"instructions": instructions} | shot_needs,
            files=files, code=CODE["predictions"], origins=origins | asked_by, about=about,
        )  # fmt: skip
        yield Node(
            key=f"scores/{key}", stage="scores",
            settings={"run": run.name, "eval_set": eval_set, "rows": rows, "seed": 0} | scored_as(catalog, name),
            needs={"predictions": Need(f"predictions/{key}"), "instructions": instructions},
            code=CODE["scores"], origins={"": origins[""]} | asked_by | judged_by, about=about,
        )  # fmt: skip


def scored_as(catalog: Catalog, dataset: str) -> dict[str, JSON]:
    """Return how answers to a dataset are judged, and what that takes besides the answers."""
    card = catalog.datasets[dataset]
    about: dict[str, JSON] = {}
    if card.kind == "translation" and card.languages is not None:
        about["language"] = card.languages.target
    if isinstance(card.source, IdentitySource):
        told = card.source.identity.values()
        about["facts"] = [*sorted({fact for one in told for fact in (one.name, one.developers, *one.abilities)})]
    return {"scored_as": card.kind, "about": about}


def _prompt(catalog: Catalog, name: str) -> dict[str, Any]:
    return catalog.prompts[name].model_dump(mode="json", exclude={"description"}) | {"name": name}


def _shot_needs(catalog: Catalog, run: Run, use: str, *datasets: str) -> dict[str, Need]:
    """Return the rows that a run draws its solved examples from: by the templates of a use, or by the one named so."""
    return {
        f"shots.{dataset}.{name}": Need(f"instructions/{dataset}", shots_file(name))
        for dataset in (datasets if run.prompt.shots else ())
        for name, template in catalog.tasks[catalog.datasets[dataset].tasks].items()
        if use in template.use or use == name
    }


def _asked_by(catalog: Catalog, dataset: str, split: str) -> str:
    """Return the held-out template that asks an evaluation set, or the use of the one that asks all others."""
    way = split.partition(".")[2]
    return way if way in catalog.tasks[catalog.datasets[dataset].tasks] else "evaluate"


def run_origin(catalog: Catalog, run: Run, eval_set: str | None = None) -> str:
    """Return the study file in which a run is first named, or first asked to answer an evaluation set."""
    return next(
        catalog.origin("studies", study)
        for study, runs in catalog.study_runs.items()
        if run.name in runs.values() and (eval_set is None or eval_set in catalog.studies[study].evaluate_on)
    )
