"""The catalog of a rehearsal: a user's own study, templates and prompts, with few rows and tiny models."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from rc_pipeline.catalog import Catalog, Study
from rc_pipeline.models.families import LOADED_AS

BATCH = 8
# Fields of a run that hold numbers of rows.
ROWS = ("train_on.", "mixture.rows")


def used(catalog: Catalog, study: str) -> tuple[list[str], list[str]]:
    """Return the datasets and the models of a study."""
    runs = [catalog.runs[run] for run in catalog.study_runs[study].values()]
    eval_sets = [name.partition("/")[0] for name in catalog.studies[study].evaluate_on]
    return (
        sorted({*(name for run in runs for name in run.train_on), *eval_sets}),
        sorted({run.model for run in runs}),
    )


def write_catalog(  # noqa: PLR0913 - by name, all of them
    catalog: Catalog,
    study: str,
    folder: Path,
    *,
    rows: int,
    datasets: Mapping[str, Mapping[str, Any]],
    models: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write the catalog of a rehearsal; `datasets` and `models` say what is other than in the user's files."""
    for name, changes in datasets.items():
        _write(folder / "datasets" / f"{name}.yaml", _read(catalog, "datasets", name) | dict(changes))
        tasks = catalog.datasets[name].tasks
        shutil.copytree(catalog.root / "tasks" / tasks, folder / "tasks" / tasks, dirs_exist_ok=True)
    for name, changes in models.items():
        _write(folder / "models" / f"{name}.yaml", _read(catalog, "models", name) | dict(changes))
    shutil.copytree(catalog.root / "prompts", folder / "prompts")
    _write(folder / "studies" / f"{study}.yaml", _small_study(_read(catalog, "studies", study), catalog, study, rows))


def _small_study(told: dict[str, Any], catalog: Catalog, study: str, rows: int) -> dict[str, Any]:
    checked: Study = catalog.studies[study]
    found = told | _few(told, rows) | {"evaluate_on": dict.fromkeys(checked.evaluate_on, _few_asked(rows))}
    found["runs"] = {name: _small_run(run, rows) for name, run in told["runs"].items()}
    for ablation in found.get("ablations", {}).values():
        for field, values in ablation["vary"].items():
            if field.startswith(ROWS):
                # Each stays another value, for each is a run.
                ablation["vary"][field] = [_fewer(value, rows + place) for place, value in enumerate(values)]
    return found


def _few_asked(rows: int) -> int:
    return max(1, rows // 2)


def _small_run(run: Mapping[str, Any], rows: int) -> dict[str, Any]:
    found = dict(run) | _few(run, rows)
    if run.get("tune") is not None:
        tune: dict[str, Any] = dict(run["tune"])
        small = {"batch_size": min(BATCH, tune.get("batch_size", BATCH)), "epochs": min(1.0, tune.get("epochs", 1.0))}
        found["tune"] = tune | small
    return found


def _few(told: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """Return what says how many rows are trained on, of a study or of a run, with fewer."""
    found: dict[str, Any] = {}
    asked = told.get("train_on") or {}
    if asked:
        found["train_on"] = {name: _fewer(value, rows) for name, value in asked.items()}
    if told.get("mixture") or any(_is_share(value) for value in asked.values()):
        mixture = told.get("mixture") or {}
        # A share of two per cent is still a row.
        most = max(rows, 50) if any(_is_share(value) for value in asked.values()) else rows * max(1, len(asked))
        found["mixture"] = mixture | {"rows": min(most, mixture.get("rows") or most)}
    return found


def _fewer(asked: Any, rows: int) -> Any:
    if _is_share(asked):
        return asked
    return min(asked, rows) if isinstance(asked, int) and not isinstance(asked, bool) and asked < rows else rows


def _is_share(asked: Any) -> bool:
    return isinstance(asked, str) and asked.endswith("%")


def tiny_source(family: str, source: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a model's source in the rehearsal: what is small already stays, a recipe takes two steps."""
    if "shipped" in source and family not in LOADED_AS:
        return dict(source)
    if "recipe" in source:
        return {**source, "steps": 2}
    return {"folder": str(folder)}


def _read(catalog: Catalog, kind: str, name: str) -> dict[str, Any]:
    from rc_pipeline.catalog.parsing import read_mapping

    path = catalog.root / kind / f"{name}.yaml"
    data = read_mapping(path, str(path))
    if not isinstance(data, dict):
        raise ValueError(f"{path}: changed while it was being read; start again")
    return data


def _write(path: Path, data: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(data), allow_unicode=True, sort_keys=False), encoding="utf-8")
