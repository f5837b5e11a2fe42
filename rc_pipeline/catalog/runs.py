"""Runs: what the studies ask for, each thing once, under one name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from rc_pipeline.catalog.models import BaseModelCard
from rc_pipeline.catalog.problems import Problem, shown
from rc_pipeline.catalog.settings import Answer, MergedAs, Mixture, PromptUse, Tune
from rc_pipeline.catalog.studies import RunEntry, Study
from rc_pipeline.catalog.validation import STRICT, TWINS, twin
from rc_pipeline.catalog.variants import variants
from rc_pipeline.lake.canonical import canonical_json

METHOD_TITLES = {
    "lora": "LoRA",
    "qlora": "QLoRA",
    "lora_8bit": "LoRA on 8 bits",
    "full": "training every weight",
    "prefix": "prefix tuning",
    "prompt": "prompt tuning",
}
# What a run is asked and what becomes of it make it no other run.
NO_CONTENT = {"name", "title", "evaluate_on", "merge"}


class Run(BaseModel):
    """A run with every default filled in; rows are a number, or None for all."""

    model_config = STRICT
    name: str
    title: str
    model: str
    tune: Tune | None = None
    prompt: PromptUse
    train_on: dict[str, int | str | None] = Field(default={}, description="empty for a run that is not tuned")
    mixture: Mixture | None = None
    evaluate_on: dict[str, int | None]
    answer: Answer
    seed: int
    merge: MergedAs | None = None


@dataclass(frozen=True)
class _Wanted:
    """A run as one study asks for it."""

    study: str
    field: str
    explicit: bool
    run: Run


def resolve_runs(
    studies: Mapping[str, Study], models: Mapping[str, BaseModelCard], files: Mapping[str, str]
) -> tuple[dict[str, Run], dict[str, dict[str, str]], dict[str, str], list[Problem]]:
    """Return runs by name, {study: {label: run}}, {run: study that names it}, and what contradicts itself."""
    wanted = [each for study in sorted(studies) for each in _wanted(study, studies[study], models)]
    groups: dict[bytes, list[_Wanted]] = {}
    for each in wanted:
        groups.setdefault(_content(each.run), []).append(each)
    problems = [*_name_problems(wanted, files), *_twin_problems(wanted, files)]
    runs: dict[str, Run] = {}
    named_by: dict[str, str] = {}
    labels: dict[str, dict[str, str]] = {study: {} for study in sorted(studies)}
    for group in groups.values():
        first = next((each for each in group if each.explicit), group[0])
        evaluate_on, conflicts = _united(group, files)
        merge, more = _merged(group, files)
        problems += conflicts + more
        runs[first.run.name] = first.run.model_copy(update={"evaluate_on": evaluate_on, "merge": merge})
        named_by[first.run.name] = first.study
    for each in wanted:
        group = groups[_content(each.run)]
        first = next((other for other in group if other.explicit), group[0])
        labels[each.study][each.run.name] = first.run.name
    return runs, labels, named_by, problems


def _wanted(name: str, study: Study, models: Mapping[str, BaseModelCard]) -> Iterator[_Wanted]:
    for label in study.runs:
        entry = RunEntry.model_validate(study.draft(label))
        yield _Wanted(name, f"runs.{label}", True, _run(label, entry, study, models))
    for ablation_name, ablation in study.ablations.items():
        for variant in variants(ablation, study.draft(ablation.of)):
            changes = ", ".join(f"{field} {_words(value)}" for field, value in variant.changes.items())
            entry = RunEntry.model_validate(variant.plain)
            if ablation.evaluate_on is not None:
                entry = entry.model_copy(update={"evaluate_on": ablation.evaluate_on})
            run = _run(variant.label, entry, study, models)
            titled = run.model_copy(update={"title": f"{_title(study.runs[ablation.of], models)} ({changes})"})
            yield _Wanted(name, f"ablations.{ablation_name}", False, titled)


def _run(name: str, entry: RunEntry, study: Study, models: Mapping[str, BaseModelCard]) -> Run:
    tune = entry.tune
    if tune is not None and tune.alpha is None:
        tune = tune.model_copy(update={"alpha": 2 * tune.rank})
    template = entry.prompt.template or models[entry.model].prompt
    return Run(
        name=name,
        title=_title(entry, models),
        model=entry.model,
        tune=tune,
        prompt=entry.prompt.model_copy(update={"template": template}),
        train_on={name: None if rows == "all" else rows for name, rows in sorted((entry.train_on or {}).items())},
        mixture=entry.mixture,
        evaluate_on={
            name: _limit(rows)
            for name, rows in study.evaluate_on.items()
            if entry.evaluate_on is None or name in entry.evaluate_on
        },
        answer=entry.answer,
        seed=entry.seed or 0,
        merge=study.merge.get(name),
    )


def _limit(rows: int | str) -> int | None:
    return rows if isinstance(rows, int) else None


def _words(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def _title(entry: RunEntry, models: Mapping[str, BaseModelCard]) -> str:
    model = models[entry.model].title
    how = f"tuned by {METHOD_TITLES[entry.tune.method]}" if entry.tune else "as it is"
    return entry.title or f"{model}, {how}"


def _content(run: Run) -> bytes:
    return canonical_json(run.model_dump(exclude=NO_CONTENT))


def _united(group: list[_Wanted], files: Mapping[str, str]) -> tuple[dict[str, int | None], list[Problem]]:
    """Return the evaluation sets of all who ask for the run; it has one set of predictions for each."""
    sets: dict[str, tuple[int | None, _Wanted]] = {}
    problems = []
    for each in group:
        for name, rows in each.run.evaluate_on.items():
            before, by = sets.setdefault(name, (rows, each))
            if before != rows:
                problems.append(
                    Problem(
                        files[each.study],
                        f"evaluate_on.{name}",
                        shown("all" if rows is None else rows),
                        f"{files[by.study]} evaluates the same run ({by.run.name}) on "
                        f"{'all' if before is None else before} rows; give the same number in both",
                    )
                )
    return {name: rows for name, (rows, _) in sets.items()}, problems


def _merged(group: list[_Wanted], files: Mapping[str, str]) -> tuple[MergedAs | None, list[Problem]]:
    """Return the precision that a run is merged in; it is published once."""
    asking = [each for each in group if each.run.merge is not None]
    problems = [
        Problem(
            files[each.study],
            f"merge.{each.run.name}",
            shown(each.run.merge),
            f"{files[asking[0].study]} merges the same run ({asking[0].run.name}) into {asking[0].run.merge}; "
            "give the same precision in both",
        )
        for each in asking
        if each.run.merge != asking[0].run.merge
    ]
    return asking[0].run.merge if asking else None, problems


def _name_problems(wanted: list[_Wanted], files: Mapping[str, str]) -> list[Problem]:
    problems = []
    first: dict[str, _Wanted] = {}
    clashing: set[str] = set()
    # Explicit runs first, and what is varied from a clashing run is not reported again for each variant.
    for each in sorted(wanted, key=lambda one: not one.explicit):
        name = each.run.name
        other = first.setdefault(name, each)
        if _content(other.run) != _content(each.run):
            if each.explicit or not any(name.startswith(f"{base}--") for base in clashing):
                remedy = (
                    f"{files[other.study]} ({other.field}) calls another run so: it differs in "
                    f"{', '.join(_differences(other.run, each.run))}; rename one of them, or make them equal"
                )
                problems.append(Problem(files[each.study], each.field, shown(name), remedy))
            clashing.add(name)
    return problems


def _twin_problems(wanted: list[_Wanted], files: Mapping[str, str]) -> Iterator[Problem]:
    first: dict[str, _Wanted] = {}
    for each in wanted:
        name = each.run.name
        other = first.setdefault(twin(name), each)
        if other.run.name != name:
            yield Problem(
                files[each.study], each.field, shown(name), f"{files[other.study]} has {other.run.name}: {TWINS}"
            )


def _differences(one: Run, other: Run) -> list[str]:
    left, right = (run.model_dump(exclude=NO_CONTENT) for run in (one, other))
    found = []
    for field in left:
        ours, theirs = left[field], right[field]
        if isinstance(ours, dict) and isinstance(theirs, dict):
            found += [f"{field}.{key}" for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key)]
        elif ours != theirs:
            found.append(field)
    return found
