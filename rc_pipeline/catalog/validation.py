"""What the models of the catalog share: their strictness, references to each other, and errors in plain words."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainValidator, ValidationError, ValidationInfo
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ErrorType

from rc_pipeline.catalog.problems import Problem, nearest, shown
from rc_pipeline.xray.visible import lines_visible, shortened, visible

if TYPE_CHECKING:
    from rc_pipeline.catalog.datasets import Dataset
    from rc_pipeline.catalog.models import BaseModelCard
    from rc_pipeline.catalog.tasks import TaskTemplate

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
# Names become files, whose names end at 255 bytes in most places.
NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,119}$"
NAME_REMEDY = "names are lower-case letters, digits, _ and -, start with a letter or a digit, and end at 120 characters"
TWINS = "Dagster writes - as _, and could not tell the two apart; rename one"
TAG = "="
M = TypeVar("M", bound=BaseModel)
REMEDIES = {
    "missing": "missing; add it",
    "too_short": "empty; give at least one",
    "string_too_short": "empty; write it",
    "model_type": "should be a mapping of names to values, such as {a: 1}",
    "dict_type": "should be a mapping of names to values, such as {a: 1}",
}
# pydantic adds this one when a field that a default is worked out from is wrong: the cause is reported already.
CONSEQUENCES: frozenset[ErrorType] = frozenset({"default_factory_not_called"})


@dataclass(frozen=True)
class Known:
    """What else is in the catalog; None stands for a thing whose own file is broken."""

    datasets: Mapping[str, Dataset | None] = field(default_factory=dict)
    models: Mapping[str, BaseModelCard | None] = field(default_factory=dict)
    prompts: Collection[str] = ()
    task_folders: Collection[str] = ()
    columns: tuple[str, ...] | None = None
    held_out: Mapping[str, Collection[str]] = field(default_factory=dict)
    evaluating: Mapping[str, TaskTemplate] = field(default_factory=dict)
    # Of the templates that train, by folder.
    languages: Mapping[str, Collection[str]] = field(default_factory=dict)


def twin(name: str) -> str:
    """Return what Dagster makes of a name: things of one kind need to differ in it."""
    return name.replace("-", "_")


def wrong(remedy: str) -> PydanticCustomError:
    """Return the error that a validator raises: what is wrong and what to do."""
    return PydanticCustomError("catalog", "{remedy}", {"remedy": remedy})


def wrong_at(problems: Collection[tuple[tuple[str | int, ...], Any, str]]) -> ValidationError:
    """Return one error that holds several (place, value, remedy) below the value being validated."""
    return ValidationError.from_exception_data(
        "catalog", [InitErrorDetails(type=wrong(remedy), loc=place, input=value) for place, value, remedy in problems]
    )


def known_of(info: ValidationInfo) -> Known | None:
    """Return what else is in the catalog, None when a model is made outside of one."""
    return info.context if isinstance(info.context, Known) else None


def reference(kind: Literal["datasets", "models", "prompts"]) -> AfterValidator:
    """Return a validator of a field that names another thing of the catalog."""

    def check(name: str, info: ValidationInfo) -> str:
        known = known_of(info)
        if known is not None and name not in (names := getattr(known, kind)):
            raise wrong(f"no such {kind[:-1]} in catalog/{kind}; {nearest(name, names)}")
        return name

    return AfterValidator(check)


def matching(pattern: str, remedy: str) -> AfterValidator:
    """Return a validator of text that must match a pattern as a whole."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise wrong(remedy)
        return text

    return AfterValidator(check)


def _legible(show: Callable[[str], str]) -> AfterValidator:
    """Return a validator of text that people read in terminals, pages and papers, and that none of these obeys."""

    def check(text: str) -> str:
        if show(text) != text:
            raise wrong(
                f"holds a character that cannot be seen, here spelled out: {shortened(show(text), 80)}; remove it"
            )
        return text

    return AfterValidator(check)


def _row_count(value: Any) -> int | Literal["all"]:
    if value == "all":
        return "all"
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise wrong("give a number of rows above 0, or all")


def _train_rows(value: Any) -> int | str:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,3})?%", value) and float(value[:-1]) > 0:
        return value
    try:
        return _row_count(value)
    except PydanticCustomError as error:
        raise wrong('give a number of rows above 0, all, or a share of the whole mixture such as "25%"') from error


TrainRows = Annotated[int | str, PlainValidator(_train_rows)]
Name = Annotated[str, matching(NAME_PATTERN, NAME_REMEDY)]
Title = Annotated[str, _legible(visible)]
Words = Annotated[str, _legible(lines_visible)]
Homepage = Annotated[
    str,
    matching(
        r"(https?://[^\s<>\[\]\"`|\\\x00-\x1f\x7f-\x9f]+)?", "a homepage is an address such as https://example.org"
    ),
]
Language = Annotated[str, matching(r"[a-z]{2,3}(-[A-Za-z0-9]+)*", "a language is a code such as en, zh or zh-Hant")]
RowCount = Annotated[int | Literal["all"], PlainValidator(_row_count)]
Owner = Annotated[
    str,
    # The pattern that Dagster holds owners to, so that a wrong one is found here with its file.
    matching(r"[\w.%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}|team:\S+", "an owner is an e-mail address or team:<name>"),
]


def validated(model: type[M], data: Mapping[str, Any], file: str, known: Known) -> M | list[Problem]:
    """Return the model that the data describes, or every problem of the file."""
    try:
        return model.model_validate(data, context=known)
    except ValidationError as error:
        return [Problem(file, *detail) for detail in explained(error, model)]


def explained(error: ValidationError, model: type[BaseModel]) -> list[tuple[str, str, str]]:
    """Return (field path, value, remedy) for each error."""
    found = []
    for detail in error.errors(include_url=False):
        if detail["type"] in CONSEQUENCES:
            continue
        place = ".".join(str(part) for part in detail["loc"] if not str(part).startswith((TAG, "[key]")))
        value = "" if detail["type"] == "missing" else shown(detail["input"])
        found.append((place, value, _remedy(dict(detail), model)))
    return found


def _remedy(detail: dict[str, Any], model: type[BaseModel]) -> str:
    kind, message = detail["type"], str(detail["msg"])
    fields = _fields_beside(model, detail["loc"])
    name = str(detail["loc"][-1]) if detail["loc"] else ""
    if kind == "extra_forbidden":
        return f"unknown field; {nearest(name, fields)}"
    about = fields.get(name, "")
    hint = f" ({about})" if about else ""
    if kind == "literal_error":
        options = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
        close = nearest(str(detail["input"]), options)
        return f"one of {', '.join(options)}" + (f"; {close}" if close.startswith("did") else "")
    if kind == "catalog":
        return message
    if kind == "string_type" and isinstance(detail["input"], int | float):
        return f"should be text; put it in quotes{hint}"
    return REMEDIES.get(kind, message.removeprefix("Input ")) + hint


def _fields_beside(model: type[BaseModel], place: tuple[int | str, ...]) -> dict[str, str]:
    """Return {field: description} of the model in which the last part of the place is, or should be, a field."""
    candidates = [model]
    for part in place[:-1]:
        if str(part).startswith(TAG):
            candidates = [each for each in candidates if str(part).removeprefix(TAG) in each.model_fields]
        else:
            owners = [each for each in candidates if part in each.model_fields]
            if owners:
                candidates = [inner for each in owners for inner in _models_in(each.model_fields[str(part)].annotation)]
    return {name: info.description or "" for each in candidates for name, info in each.model_fields.items()}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def one_of(*names: str) -> Callable[[Any], str | None]:
    """Return the function that tells by its one leading key which kind of source a mapping is."""

    def kind(value: Any) -> str | None:
        if isinstance(value, BaseModel):
            return next(f"{TAG}{name}" for name in names if name in type(value).model_fields)
        given = [name for name in names if isinstance(value, dict) and name in value]
        return f"{TAG}{given[0]}" if len(given) == 1 else None

    return kind
