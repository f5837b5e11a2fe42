"""The nodes of merged models: what a run learnt, within its base model's weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rc_pipeline.catalog import Catalog
from rc_pipeline.catalog.runs import Run
from rc_pipeline.lake.graph import Need, Node
from rc_pipeline.lake.outcome import JSON
from rc_pipeline.stages import CODE


def merged_node(catalog: Catalog, run: Run, nodes: Sequence[Node]) -> Node:
    """Return the merged model of a run; `nodes` are all others of the run, and what it is held against."""
    adapter = next(node for node in nodes if node.stage == "adapters")
    needs = {role: need for role, need in adapter.needs.items() if role == "base" or role.startswith("train.")}
    needs["adapter"] = Need(adapter.key)
    for node in nodes:
        asked = node.settings.get("eval_set")
        if node.stage == "predictions":
            needs |= {f"{asked}:{role}": need for role, need in node.needs.items() if role not in needs}
            needs[f"{asked}:predictions"] = Need(node.key)
        elif node.stage == "scores":
            needs[f"{asked}:scores"] = Need(node.key, "scores.parquet")
    settings: dict[str, Any] = {
        "run": run.name,
        "dtype": run.merge,
        "family": adapter.settings["family"],
        "context_tokens": adapter.settings["context_tokens"],
        "eval_sets": list(run.evaluate_on),
        "card": _card(catalog, run),
    }
    return Node(
        key=f"merged/{run.name}", stage="merged", settings=settings, needs=needs, files=adapter.files,
        code=CODE["merged"], origins=_origins(catalog, run),
        about={"title": run.title, "kinds": [*_kinds(adapter), str(run.merge)]},
    )  # fmt: skip


def merged_keys(catalog: Catalog, study: str) -> list[str]:
    """Return the keys of the merged models that a study asks for."""
    return [f"merged/{catalog.study_runs[study][label]}" for label in catalog.studies[study].merge]


def _card(catalog: Catalog, run: Run) -> dict[str, Any]:
    """Return what the model card says in the words of the catalog."""
    model = catalog.models[run.model]
    return {
        "title": run.title,
        "base": model.model_dump(mode="json", include={"title", "homepage", "license"})
        | {"name": run.model, "source": model.source.model_dump(mode="json", include={"hub", "revision"})},
        "tune": None if run.tune is None else run.tune.model_dump(mode="json"),
        "data": {
            name: catalog.datasets[name].model_dump(mode="json", include={"title", "homepage", "license"})
            for name in run.train_on
        },
    }


def _kinds(adapter: Node) -> list[JSON]:
    kinds = adapter.about["kinds"]
    return list(kinds) if isinstance(kinds, list) else []


def _origins(catalog: Catalog, run: Run) -> dict[str, str]:
    """Return the file of the study that has the run merged, and those of what the model card tells."""
    study = next(
        catalog.origin("studies", study)
        for study, runs in catalog.study_runs.items()
        if any(runs[label] == run.name for label in catalog.studies[study].merge)
    )
    model = dict.fromkeys(("card.base", "family", "context_tokens"), catalog.origin("models", run.model))
    return {"": study} | model | {f"card.data.{name}": catalog.origin("datasets", name) for name in run.train_on}
