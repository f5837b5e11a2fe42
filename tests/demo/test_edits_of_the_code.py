"""Edits of the code, in a copy of the project that runs as processes of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from project_copy import ProjectCopy


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ProjectCopy:
    copy = ProjectCopy.make(tmp_path_factory.mktemp("code"))
    copy.execute("demo")
    return copy


def test_a_comment_a_docstring_and_another_layout_rebuild_nothing(project):
    module = project.folder / "rc_pipeline" / "scoring" / "trivia.py"
    text = module.read_text(encoding="utf-8")
    assert text.startswith('"""')
    edited = text.replace('"""', '"""Other words: ', 1).replace("\ndef ", "\n# A comment.\n\n\ndef ")
    module.write_text(edited, encoding="utf-8")
    plan = project.plan("demo")
    assert plan["build"] == []
    assert plan["unknown"] == []
    module.write_text(text, encoding="utf-8")


def test_a_change_to_a_scoring_function_rebuilds_scores_and_reports_only(project):
    module = project.folder / "rc_pipeline" / "scoring" / "intervals.py"
    text = module.read_text(encoding="utf-8")
    project.replace(module, "2_000", "500")
    plan = project.plan("demo")
    scores = {key for key in project.contents() if key.startswith("scores/")}
    # The report compares runs by the same intervals.
    assert {entry["key"] for entry in plan["build"]} == scores | {"reports/demo"}
    assert all("rc_pipeline/scoring/intervals.py" in entry["reason"] for entry in plan["build"])
    assert plan["unknown"] == []
    built = project.built_by(lambda: project.execute("demo"))
    assert built == scores | {"reports/demo"}
    module.write_text(text, encoding="utf-8")
    assert project.built_by(lambda: project.execute("demo")) == set()


def test_an_accepted_refactoring_of_the_training_costs_no_training(project):
    module = project.folder / "rc_pipeline" / "training" / "batches.py"
    text = module.read_text(encoding="utf-8")
    module.write_text(text + "\n\nUNUSED = 1\n", encoding="utf-8")
    assert [entry["key"] for entry in project.plan("demo")["build"]] == ["adapters/demo_tuned"]
    said = project.cli("accept", "adapters/*").stdout
    assert "rc_pipeline/training/batches.py does not alter results" in said
    plan = project.plan("demo")
    assert plan["build"] == plan["unknown"] == []
    assert "carried over" in project.cli("why", "adapters/demo_tuned").stdout
    module.write_text(text, encoding="utf-8")


def test_what_the_shipped_modules_import_is_declared_by_their_stage():
    """A stage's code hash misses nothing: whatever its modules import of the domain is hashed with them."""
    import ast

    from rc_pipeline.lake.code import PROJECT, code_files
    from rc_pipeline.stages import CODE

    infrastructure = ("rc_pipeline.lake", "rc_pipeline.worker", "rc_pipeline.catalog")
    for stage, modules in CODE.items():
        hashed = {str(path.relative_to(PROJECT)) for path in code_files(modules)}
        for path in [path for path in code_files(modules) if path.suffix == ".py"]:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                for name in _imported(node):
                    if name.startswith("rc_pipeline.") and not name.startswith(infrastructure):
                        assert _file(name) in hashed, f"{stage}: {path} imports {name}, which is not hashed"


def _imported(node: object) -> list[str]:
    import ast

    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        inner = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name if _file(name) else node.module for name in inner]
    return []


def _file(module: str) -> str:
    from rc_pipeline.lake.code import PROJECT

    path = Path(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if (PROJECT / candidate).is_file():
            return str(candidate)
    return ""
