"""The nodes of a study: what its evaluation sets share with its training rows, and its report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rc_pipeline.catalog import Catalog
from rc_pipeline.catalog.runs import Run
from rc_pipeline.catalog.sources import SampleSource
from rc_pipeline.lake.graph import Need, Node
from rc_pipeline.lake.outcome import JSON
from rc_pipeline.lineage.facts import about_of
from rc_pipeline.stages import CODE


def overlap_nodes(catalog: Catalog) -> Iterator[Node]:
    """Yield a comparison of training rows and evaluation rows for every such pair of a study that asks for it."""
    pairs = sorted({pair for name in catalog.studies for pair in _compared(catalog, name)})
    for train, eval_set in pairs:
        asked, split = eval_set.split("/")
        needs = _tables("train", catalog, train) | _tables("asked", catalog, asked)
        yield Node(
            key=_overlap_key(train, eval_set),
            stage="overlaps",
            settings={"train": _rows_of(catalog, train), "asked": _rows_of(catalog, asked), "split": split},
            needs=needs,
            code=CODE["overlaps"],
            origins={"train": catalog.origin("datasets", train), "asked": catalog.origin("datasets", asked)},
            about={"title": f"What {eval_set} shares with the training rows of {train}", "kinds": ["contamination"]},
        )


def _compared(catalog: Catalog, study: str) -> list[tuple[str, str]]:
    """Return (training dataset, evaluation set) of a study; other words for a question make it no other question."""
    if not catalog.studies[study].contamination:
        return []
    runs = [catalog.runs[run] for run in catalog.study_runs[study].values()]
    trained_on = sorted({name for run in runs for name in run.train_on})
    asked = sorted({eval_set.partition(".")[0] for eval_set in catalog.studies[study].evaluate_on})
    return [(train, eval_set) for train in trained_on for eval_set in asked]


def _overlap_key(train: str, eval_set: str) -> str:
    return f"overlaps/{train}/{eval_set}"


def _tables(role: str, catalog: Catalog, name: str) -> dict[str, Need]:
    tables = {f"{role}_tables": Need(f"tables/{name}")}
    with_documents = catalog.datasets[name].format == "trivia_qa"
    return tables | ({f"{role}_passages": Need(f"passages/{name}")} if with_documents else {})


def _rows_of(catalog: Catalog, name: str) -> dict[str, JSON]:
    dataset = catalog.datasets[name]
    return {
        "name": name,
        "format": dataset.format,
        "columns": list(dataset.template_columns),
        "train_splits": list(dataset.train_splits),
        "holdout": dataset.model_dump(include={"holdout"})["holdout"],
        "seed": 0,
    }


def report(catalog: Catalog, name: str) -> Node:
    """Return the report of a study."""
    study = catalog.studies[name]
    eval_sets = list(study.evaluate_on)
    runs = [_run_facts(label, catalog.runs[run], eval_sets) for label, run in catalog.study_runs[name].items()]
    canonical = sorted({str(run["run"]) for run in runs})
    models = {catalog.runs[run].model for run in canonical}
    tuned = [run for run in canonical if catalog.runs[run].tune is not None]
    scored = [f"{run}/{one}" for run in canonical for one in eval_sets if one in catalog.runs[run].evaluate_on]
    needs = {f"scores.{key}": Need(f"scores/{key}") for key in scored}
    needs |= {f"predictions.{key}": Need(f"predictions/{key}", "predictions.parquet") for key in scored}
    asked = sorted({eval_set.split("/")[0] for eval_set in eval_sets})
    needs |= {
        f"recall.{dataset}": Need(f"passages/{dataset}", "recall.parquet")
        for dataset in asked
        if catalog.datasets[dataset].format == "trivia_qa"
    }
    needs |= {
        f"overlaps.{train}/{eval_set}": Need(_overlap_key(train, eval_set), "overlaps.parquet")
        for train, eval_set in _compared(catalog, name)
    }
    return Node(
        key=f"reports/{name}",
        stage="reports",
        settings={"study": name, "title": study.title, "description": study.description, "runs": list(runs),
                  "eval_sets": list(eval_sets),
                  "datasets": {dataset: _dataset_facts(catalog, dataset) for dataset in asked},
                  "families": {model: catalog.models[model].family for model in sorted(models)}},
        needs=needs | {f"training.{run}": Need(f"adapters/{run}", "training.json") for run in tuned},
        code=CODE["reports"],
        origins={"": catalog.origin("studies", name)},
        about=about_of(study),
    )  # fmt: skip


def _dataset_facts(catalog: Catalog, name: str) -> dict[str, JSON]:
    card = catalog.datasets[name]
    return {"format": card.format, "sample": isinstance(card.source, SampleSource)}


def _run_facts(label: str, run: Run, eval_sets: Sequence[str]) -> dict[str, JSON]:
    tune = None if run.tune is None else run.tune.model_dump(mode="json")
    asked: list[JSON] = [one for one in eval_sets if one in run.evaluate_on]
    return ({} if len(asked) == len(eval_sets) else {"evaluate_on": asked}) | {
        "label": label, "run": run.name, "model": run.model, "title": run.title, "tuned": tune is not None,
        "method": None if run.tune is None else run.tune.method, "tune": tune,
        "prompt": run.prompt.model_dump(mode="json") | {"asked_with": run.answer.template},
        "answer": run.answer.model_dump(mode="json", exclude={"template"}), "train_on": dict(run.train_on),
        "mixture": None if run.mixture is None else run.mixture.model_dump(mode="json"), "seed": run.seed,
    }  # fmt: skip
