"""Evaluation sets by name: a split as it is, by a held-out template, as a probe, or document by document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from rc_pipeline.catalog.formats import Kind
from rc_pipeline.catalog.problems import nearest
from rc_pipeline.catalog.validation import Known, RowCount, known_of, wrong
from rc_pipeline.instructions.probes import BY_DOCUMENT, PROBES, WAYS_TO_ASK, UnfitProbe, probe_template

if TYPE_CHECKING:
    from rc_pipeline.catalog.datasets import Dataset

# Behind the name of a split: by every held-out template.
ALL_HELD_OUT = ".*"


def _eval_set(name: str, info: ValidationInfo) -> str:
    dataset_name, slash, split = name.partition("/")
    if not (dataset_name and slash and split):
        raise wrong("an evaluation set is <dataset>/<split>")
    known = known_of(info)
    if known is None:
        return name
    if dataset_name not in known.datasets:
        raise wrong(f"no such dataset in catalog/datasets; {nearest(dataset_name, known.datasets)}")
    dataset = known.datasets[dataset_name]
    if dataset is not None:
        split, dot, way = split.partition(".")
        if split not in dataset.splits:
            raise wrong(f"{dataset_name} has no split {split}; {nearest(split, dataset.splits)}")
        if dot:
            _require_way_to_ask(way, dataset_name, dataset, split, known)
        if split in dataset.train_splits:
            raise wrong(f"{split} is trained on; evaluate on another split")
        if dataset.kind is None:
            kinds = ", ".join(get_args(Kind))
            raise wrong(f"nothing says how answers to {dataset_name} are scored; add scored_as to it: {kinds}")
    return name


def _require_way_to_ask(way: str, name: str, dataset: Dataset, split: str, known: Known) -> None:
    held_out = known.held_out.get(dataset.tasks, ())
    if way in held_out:
        return
    if way not in WAYS_TO_ASK:
        remedy = nearest(way, [*held_out, *WAYS_TO_ASK])
        raise wrong(f"{name} has no held-out template {way}, and no probe is called so; {remedy}")
    if way == BY_DOCUMENT and (dataset.format != "trivia_qa" or split in dataset.holdout):
        raise wrong("only the publisher's own splits of the format trivia_qa have documents; take it out")
    template = known.evaluating.get(dataset.tasks)
    if way in PROBES and template is not None:
        try:
            probe_template(way, template.model_dump(mode="json"), dataset.passage_column, dataset.template_columns)
        except UnfitProbe as error:
            raise wrong(f"{name} cannot be asked so: {error}") from error


def _named_once(value: Any, info: ValidationInfo) -> Any:
    """Return {name: rows} of a list of names or such a mapping, each held-out template by its own name."""
    if isinstance(value, list):
        if not all(isinstance(each, str) for each in value):
            raise wrong(
                "a list here holds <dataset>/<split> names; for a number of rows write {<dataset>/<split>: 100}"
            )
        given: Iterable[tuple[Any, Any]] = [(name, "all") for name in value]
    elif isinstance(value, dict):
        given = value.items()
    else:
        return value
    found: dict[Any, Any] = {}
    for name, rows in given:
        for one in _by_each_template(name, known_of(info)):
            if one in found:
                raise wrong(f"{one} is here twice; keep one of them")
            found[one] = rows
    return found


def _by_each_template(name: Any, known: Known | None) -> list[Any]:
    if known is None or not isinstance(name, str) or not name.endswith(ALL_HELD_OUT):
        return [name]
    dataset = known.datasets.get(name.partition("/")[0])
    if dataset is None:
        return [name.removesuffix(ALL_HELD_OUT)]
    templates = sorted(known.held_out.get(dataset.tasks, ()))
    if not templates:
        raise wrong(f"{name}: catalog/tasks/{dataset.tasks} has no held-out template; add one with use: [held_out]")
    return [f"{name.removesuffix(ALL_HELD_OUT)}.{template}" for template in templates]


EvalSets = Annotated[
    dict[Annotated[str, AfterValidator(_eval_set)], RowCount], BeforeValidator(_named_once), Field(min_length=1)
]


def ways_to_ask(eval_sets: Iterable[str], dataset: str) -> Mapping[str, list[str]]:
    """Return {split: probes, or by_document} of those evaluation sets of a dataset that no template makes."""
    found: dict[str, set[str]] = {}
    for eval_set in eval_sets:
        name, _, asked = eval_set.partition("/")
        split, _, way = asked.partition(".")
        if name == dataset and way in WAYS_TO_ASK:
            found.setdefault(split, set()).add(way)
    return {split: sorted(ways) for split, ways in sorted(found.items())}
