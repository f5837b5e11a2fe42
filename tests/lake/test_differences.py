"""The reason that a rebuild gives."""

from __future__ import annotations

from typing import Any

from rc_pipeline.lake.differences import what_changed
from rc_pipeline.lake.graph import Node

ORIGINS = {"": "datasets/quiz.yaml", "templates.ask": "tasks/ask.yaml", "templates.find": "tasks/find.yaml"}
NODE = Node("instructions/quiz", "instructions", origins=ORIGINS)
TEMPLATE = {"instruction": "Find it.", "input": "{{ passage }}"}


def told(before: dict[str, Any], now: dict[str, Any], **others: tuple[dict[str, Any], dict[str, Any]]) -> str:
    inputs: list[dict[str, Any]] = []
    for which, settings in enumerate((before, now)):
        inputs.append({"settings": settings, "files": {}, "code": {}, "needs": {}})
        inputs[which] |= {name: pair[which] for name, pair in others.items()}
    return what_changed(NODE, *inputs)


def test_what_came_or_went_as_a_whole_is_one_change() -> None:
    before = {"seed": 0, "templates": {"gone": TEMPLATE, "ask": TEMPLATE}, "holdout": {}, "passages": None}
    now = {"seed": 0, "templates": {"ask": TEMPLATE, "find": TEMPLATE}, "holdout": {"valid": 0.1}, "passages": {"n": 1}}
    assert told(before, now) == (
        "datasets/quiz.yaml: holdout.valid added, passages changed, templates.gone removed; "
        "tasks/find.yaml: templates.find added"
    )


def test_one_field_of_a_group_is_named_with_its_file() -> None:
    before, now = ({"templates": {"ask": TEMPLATE | {"input": text}}} for text in ("one", "two"))
    assert told(before, now) == "tasks/ask.yaml: input changed"


def test_of_many_changes_of_a_kind_the_first_are_named_and_the_rest_counted() -> None:
    files: tuple[dict[str, Any], dict[str, Any]] = {}, {f"part-{number}.csv": "x" for number in range(9)}
    assert told({}, {}, files=files) == (
        "input file changed: part-0.csv, part-1.csv, part-2.csv, part-3.csv, part-4.csv, part-5.csv and 3 more"
    )
