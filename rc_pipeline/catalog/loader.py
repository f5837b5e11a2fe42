"""The catalog as a whole: its files read once, checked against each other, every problem said at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from rc_pipeline.catalog.datasets import Dataset
from rc_pipeline.catalog.formats import FACTS, FORMATS, KITS
from rc_pipeline.catalog.models import BaseModelCard
from rc_pipeline.catalog.parsing import line_of, read_mapping
from rc_pipeline.catalog.problems import CatalogError, Problem, nearest
from rc_pipeline.catalog.prompts import PromptTemplate
from rc_pipeline.catalog.runs import Run, resolve_runs
from rc_pipeline.catalog.studies import Study
from rc_pipeline.catalog.tasks import TaskTemplate
from rc_pipeline.catalog.validation import NAME_PATTERN, NAME_REMEDY, TWINS, Known, twin, validated
from rc_pipeline.catalog.view_names import taken_by
from rc_pipeline.instructions.probes import WAYS_TO_ASK

SUFFIXES = {"datasets": ".yaml", "tasks": ".yaml", "prompts": ".json", "models": ".yaml", "studies": ".yaml"}
LOOKALIKES = (".yaml", ".yml", ".json")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Catalog:
    """Everything that a user can edit, checked, and the runs that it asks for."""

    root: Path
    datasets: dict[str, Dataset]
    tasks: dict[str, dict[str, TaskTemplate]]
    prompts: dict[str, PromptTemplate]
    models: dict[str, BaseModelCard]
    studies: dict[str, Study]
    runs: dict[str, Run]
    study_runs: dict[str, dict[str, str]]
    named_by: dict[str, str]

    def origin(self, kind: str, name: str) -> str:
        """Return the file, relative to the repository, that says what this is; a template is <folder>/<name>."""
        if kind == "runs":
            kind, name = "studies", self.named_by[name]
        # A folder of templates is a thing as well: what a dataset's instructions are made by.
        suffix = "" if kind == "tasks" and "/" not in name else SUFFIXES[kind]
        return f"{self.root.name}/{kind}/{name}{suffix}"


@dataclass
class _Reading:
    """What has been read so far, and what was wrong with it."""

    root: Path
    problems: list[Problem] = field(default_factory=list)

    def shown(self, path: Path) -> str:
        return path.relative_to(self.root.parent).as_posix()

    def files(self, kind: str) -> dict[str, Path]:
        """Return {name: file} of a folder; a template's name is <folder>/<name>."""
        folder, depth = self.root / kind, 2 if kind == "tasks" else 1
        found: dict[str, Path] = {}
        for path in sorted(folder.rglob("*")):
            parts = path.relative_to(folder).parts
            if path.suffix not in LOOKALIKES or any(part.startswith(".") for part in parts) or path.is_dir():
                continue
            name = "/".join([*parts[:-1], path.stem])
            if path.suffix != SUFFIXES[kind]:
                self.complain(path, f"files here end in {SUFFIXES[kind]}; rename it, or move it away")
            elif len(parts) != depth:
                place = "catalog/tasks/<dataset>/<template>.yaml" if depth == 2 else f"catalog/{kind} itself"
                self.complain(path, f"not read where it is; move it to {place}")
            elif not all(re.fullmatch(NAME_PATTERN, part) for part in name.split("/")):
                self.complain(path, f"rename it: {NAME_REMEDY}")
            elif other := next((each for each in found if twin(each) == twin(name)), None):
                self.complain(path, f"there is {other}, too: {TWINS}")
            else:
                found[name] = path
        return found

    def complain(self, path: Path, remedy: str) -> None:
        self.problems.append(Problem(self.shown(path), "", "", remedy))

    def read(self, model: type[M], path: Path, known: Known, defaults: Mapping[str, str]) -> M | None:
        """Return what a file says, or None when it is broken and its problems are noted."""
        data = read_mapping(path, self.shown(path))
        if isinstance(data, Problem):
            self.problems.append(data)
            return None
        result = validated(model, {**defaults, **data}, self.shown(path), known)
        if isinstance(result, list):
            self.problems += result
            return None
        return result

    def read_all(self, model: type[M], kind: str, known: Known) -> dict[str, M | None]:
        """Return every file of a folder by name, None for the broken ones."""
        return {name: self.read(model, path, known, {}) for name, path in self.files(kind).items()}


def load_catalog(root: Path) -> Catalog:
    """Read root/{datasets,tasks,prompts,models,studies}; raise CatalogError with every problem of every file."""
    root = root.resolve()
    if not root.is_dir():
        raise CatalogError([Problem(str(root), "", "", "no such folder; run from the repository, or name the catalog")])
    reading = _Reading(root)
    template_files = reading.files("tasks")
    folders = sorted({name.split("/")[0] for name in template_files})
    prompts = reading.read_all(PromptTemplate, "prompts", Known())
    models = reading.read_all(BaseModelCard, "models", Known(prompts=prompts))
    dataset_files = reading.files("datasets")
    for name, path in dataset_files.items():
        if owner := taken_by(name, dataset_files):
            reading.complain(path, f"the warehouse has a view {name} of {owner}; give the file another name")
    datasets = {
        name: reading.read(Dataset, path, Known(task_folders=folders), {"tasks": _usual_tasks(name, path, folders)})
        for name, path in dataset_files.items()
    }
    uses = {name: _use_of_tasks(name, path, datasets[name], folders) for name, path in dataset_files.items()}
    tasks = _read_tasks(reading, template_files, uses)
    held_out = {
        folder: [name for name, template in templates.items() if "held_out" in template.use]
        for folder, templates in tasks.items()
    }
    evaluating = {
        folder: template
        for folder, templates in tasks.items()
        for template in templates.values()
        if "evaluate" in template.use
    }
    languages = {
        folder: {template.language for template in templates.values() if "train" in template.use}
        for folder, templates in tasks.items()
    }
    known = Known(
        datasets=datasets, models=models, prompts=prompts, held_out=held_out, evaluating=evaluating, languages=languages
    )
    studies = reading.read_all(Study, "studies", known)
    sound_models, sound_studies = _sound(models), _sound(studies)
    ready = {name: study for name, study in sound_studies.items() if _models_of(study) <= set(sound_models)}
    files = {name: f"{root.name}/studies/{name}.yaml" for name in ready}
    runs, study_runs, named_by, problems = resolve_runs(ready, sound_models, files)
    if reading.problems or problems:
        raise CatalogError([_with_line(problem, root.parent) for problem in (*reading.problems, *problems)])
    return Catalog(
        root=root,
        datasets=_sound(datasets),
        tasks=tasks,
        prompts=_sound(prompts),
        models=sound_models,
        studies=sound_studies,
        runs=runs,
        study_runs=study_runs,
        named_by=named_by,
    )


def _with_line(problem: Problem, folder: Path) -> Problem:
    path = folder / problem.file
    return replace(problem, line=line_of(path, problem.field)) if problem.field and path.is_file() else problem


def _sound(things: Mapping[str, M | None]) -> dict[str, M]:
    return {name: thing for name, thing in things.items() if thing is not None}


def _models_of(study: Study) -> set[str]:
    varied = [value for ablation in study.ablations.values() for value in ablation.vary.get("model", [])]
    return {run.model for run in study.runs.values()} | set(varied)


@dataclass(frozen=True)
class _Use:
    """The folder of templates that a dataset uses, and the columns that it has for them."""

    folder: str
    columns: tuple[str, ...]


def _usual_tasks(name: str, path: Path, folders: Collection[str]) -> str:
    """Return the folder of templates for a dataset that names none: its own, else its format's."""
    data = read_mapping(path, name)
    fmt = "" if isinstance(data, Problem) else str(data.get("format"))
    own = name in folders or fmt not in FACTS or not FACTS[fmt].columns
    return name if own else FACTS[fmt].tasks or fmt


def _use_of_tasks(name: str, path: Path, dataset: Dataset | None, folders: Collection[str]) -> _Use | None:
    """Return how a dataset uses templates, None when its file does not tell."""
    if dataset is not None:
        return _Use(dataset.tasks, dataset.template_columns)
    # Some other field is wrong: its templates can be checked all the same.
    data = read_mapping(path, name)
    if isinstance(data, Problem) or data.get("format") not in FORMATS or not FACTS[data["format"]].columns:
        return None
    return _Use(str(data.get("tasks", _usual_tasks(name, path, folders))), FACTS[data["format"]].columns)


def _read_tasks(
    reading: _Reading, files: Mapping[str, Path], uses: Mapping[str, _Use | None]
) -> dict[str, dict[str, TaskTemplate]]:
    """Return {folder: {template: …}}, each checked against the columns of the datasets that use the folder."""
    read: dict[str, dict[str, TaskTemplate | None]] = {}
    for name, path in files.items():
        folder, template = name.split("/")
        columns = _columns(folder, uses)
        if template in WAYS_TO_ASK:
            reading.complain(path, f"{template} is a way to ask any template (docs/probes.md); rename it")
        read.setdefault(folder, {})[template] = reading.read(TaskTemplate, path, Known(columns=columns), {})
    for folder, templates in read.items():
        path = reading.root / "tasks" / folder
        if (
            folder not in FACTS
            and folder not in KITS
            and all(use is not None and use.folder != folder for use in uses.values())
        ):
            reading.complain(path, f"no dataset uses these templates; {nearest(folder, uses)}")
        if None not in templates.values():
            _complain_of_uses(reading, path, _sound(templates))
    return {folder: _sound(templates) for folder, templates in read.items()}


def _columns(folder: str, uses: Mapping[str, _Use | None]) -> tuple[str, ...] | None:
    """Return the columns that all datasets of a folder have, None when that cannot be told."""
    using = [use.columns for use in uses.values() if use and use.folder == folder]
    if not using:
        return KITS.get(folder) or (FACTS[folder].columns or None if folder in FACTS else None)
    return tuple(column for column in using[0] if all(column in columns for columns in using))


def _complain_of_uses(reading: _Reading, path: Path, templates: Mapping[str, TaskTemplate]) -> None:
    evaluating = [name for name, template in templates.items() if "evaluate" in template.use]
    if len(evaluating) != 1:
        which = f"{' and '.join(evaluating)} have" if evaluating else "none has"
        reading.complain(path, f"{which} evaluate in use; exactly one template may, so give the others use: [train]")
    if not any("train" in template.use for template in templates.values()):
        reading.complain(path, "no template has train in use; add it to one")
