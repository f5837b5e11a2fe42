"""The direction of imports: definitions -> assets -> resources -> domain, and Dagster stays at the door."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from rc_pipeline.lake.code import PROJECT

MODULES = sorted(path for folder in ("rc_pipeline", "assets", "resources") for path in (PROJECT / folder).rglob("*.py"))
HEAVY = {"torch", "transformers", "peft", "bitsandbytes", "datasets"}


def imported(path: Path, *, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def packages(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_module_imports_only_what_lies_below_it(path):
    place = path.relative_to(PROJECT)
    if place.parts[0] == "resources":
        assert not packages(path) & {"assets"}
        assert "rc_pipeline.definitions" not in imported(path)
    elif place.parts[0] == "rc_pipeline" and place != Path("rc_pipeline/definitions.py"):
        assert not packages(path) & {"assets", "resources", "dagster"}
    elif place.parts[0] == "assets":
        assert "rc_pipeline.definitions" not in imported(path)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_heavy_libraries_load_inside_the_functions_that_need_them(path):
    assert not {name.split(".")[0] for name in imported(path, top_level_only=True)} & HEAVY
