"""What the shipped task templates make of a row: nothing is lost, and no two say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rc_pipeline.catalog.formats import FACTS, KITS
from rc_pipeline.instructions.rendering import Rendered, TaskRenderer

TASKS = Path(__file__).resolve().parents[2] / "catalog" / "tasks"
KNOWN = {name: (facts.columns, facts.passage) for name, facts in FACTS.items()}
KNOWN |= {name: (columns, "context" if "context" in columns else "passage") for name, columns in KITS.items()}
FOLDERS = sorted(folder.name for folder in TASKS.iterdir() if folder.name in KNOWN)
LISTS = {"options": ["是", "否"], "answers": ["否"], "outputs": ["做完了"], "aliases": ["甲"], "history": []}
OWN = {"label": 1, "answer": "否", "output": "做完了", "system": None}


def row_of(folder: str) -> dict[str, Any]:
    columns, _ = KNOWN[folder]
    texts = {column: f"〈{column}: as it is〉" for column in columns}
    own = {column: value for column, value in {**LISTS, **OWN}.items() if column in columns}
    return {"row_id": "a/b/0", **texts, **own}


def templates(folder: str) -> dict[str, dict[str, Any]]:
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (TASKS / folder).glob("*.yaml")}


def rendered(folder: str) -> dict[str, Rendered]:
    row, passage = row_of(folder), KNOWN[folder][1]
    return {name: TaskRenderer(name, told, passage).render(row) for name, told in templates(folder).items()}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_template_makes_an_instruction_with_an_answer(folder: str) -> None:
    for name, made in rendered(folder).items():
        texts = (made.instruction, made.output or "")
        assert all(text and text == text.strip() for text in texts), name
        assert made.input == made.input.strip(), name
        assert "\n\n\n" not in f"{made.instruction}{made.input}", name
        if made.choices:
            assert len(set(made.choices)) == len(made.choices), name
            assert made.output == made.choices[1], name


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_passage_stands_in_the_input_as_it_is_where_it_can_be_cut(folder: str) -> None:
    row, passage = row_of(folder), KNOWN[folder][1]
    for name, made in rendered(folder).items():
        assert not passage or row[passage] not in made.instruction, name
        if passage and row[passage] in made.input:
            assert made.passage is not None, name
            assert made.input[slice(*made.passage)] == row[passage], name


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_two_templates_ask_the_same_and_one_is_for_evaluation(folder: str) -> None:
    asked = [f"{made.instruction}\n{made.input}" for made in rendered(folder).values()]
    assert len(set(asked)) == len(asked)
    assert sum("evaluate" in told.get("use", ["evaluate"]) for told in templates(folder).values()) == 1
