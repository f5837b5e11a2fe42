"""Ablations: one run again, with one field changed at a time."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field, PlainValidator

from rc_pipeline.catalog.validation import STRICT, wrong

Plain = dict[str, Any]
Place = tuple[str | int, ...]
LABEL_CHARACTERS = 120


def _value(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return value
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise wrong("vary one field to a number, a text or a list of names; for a group of fields write a run of its own")


class Ablation(BaseModel):
    """A run again for each value of a field, or for each combination of the values of several."""

    model_config = STRICT
    of: str = Field(description="run of this study to start from")
    vary: dict[str, Annotated[list[Annotated[Any, PlainValidator(_value)]], Field(min_length=1)]] = Field(
        min_length=1, description="dotted field of the run, such as tune.rank: list of values"
    )
    evaluate_on: list[str] | None = Field(
        default=None, min_length=1, description="some of the study's evaluation sets; those of the run when left out"
    )


@dataclass(frozen=True)
class Variant:
    """A run of an ablation, as plain data that is yet to be checked."""

    label: str
    changes: dict[str, Any]
    plain: Plain


def variants(ablation: Ablation, plain: Plain) -> list[Variant]:
    """Return the ablation's runs; `plain` is the run that it starts from."""
    found = []
    for values in itertools.product(*ablation.vary.values()):
        changes = dict(zip(ablation.vary, values, strict=True))
        varied = plain
        for field, value in changes.items():
            varied = _with(varied, field, value)
        suffixes = [f"{field.rpartition('.')[2]}-{slug(value)}" for field, value in changes.items()]
        found.append(Variant("--".join([ablation.of, *suffixes]), changes, varied))
    return found


def variation_problems(
    ablation: Ablation, plain: Plain, errors_of: Callable[[Plain], list[tuple[str, str, str]]]
) -> list[tuple[Place, Any, str]]:
    """Return (place, value, remedy) for what keeps the ablation from being run."""
    found: list[tuple[Place, Any, str]] = []
    for field, values in ablation.vary.items():
        place = ("vary", field)
        parent = _parent(plain, field)
        if parent is None:
            remedy = f"{ablation.of} has no {field.rpartition('.')[0]} to vary; give it one, or mend the field"
            found.append((place, values, remedy))
            continue
        for value in values:
            if sum(slug(value) == slug(other) for other in values) > 1:
                found.append((place, value, "twice the same value, or two that would share a name; keep one of them"))
            for where, _, remedy in errors_of(_with(plain, field, value)):
                found.append((place, value, remedy if where == field else f"{where}: {remedy}"))
            if found and "unknown field" in found[-1][2]:
                break
    if not found:
        for variant in variants(ablation, plain):
            if len(variant.label) > LABEL_CHARACTERS:
                found.append((("vary",), variant.label, f"names of runs end at {LABEL_CHARACTERS} characters; shorten"))
            found += [
                (("vary",), variant.changes, f"{where}: {remedy}") for where, _, remedy in errors_of(variant.plain)
            ]
    return found


def slug(value: Any) -> str:
    """Return a value as a part of a run's name."""
    text = "-".join(value) if isinstance(value, list) else "none" if value is None else str(value)
    return re.sub(r"[^a-z0-9_-]+", "_", text.lower()) or "empty"


def _parent(plain: Plain, field: str) -> Plain | None:
    """Return the mapping that holds the field, or should; None when there is none."""
    level: Any = plain
    for part in field.split(".")[:-1]:
        level = level.get(part) if isinstance(level, dict) else None
    return level if isinstance(level, dict) else None


def _with(plain: Plain, field: str, value: Any) -> Plain:
    varied = copy.deepcopy(plain)
    parent = _parent(varied, field)
    if parent is None:
        raise ValueError(f"{field}: the run has no such group of fields")
    parent[field.rpartition(".")[2]] = copy.deepcopy(value)
    return varied
