"""Names become files, assets and jobs: those that cannot are refused before anything is built."""

from __future__ import annotations

import pytest


def test_a_name_that_no_disk_holds_is_a_problem(desk) -> None:
    desk.write(f"models/{'m' * 121}.yaml", "title: x\n")
    desk.edit("studies/first.yaml", "base:", f"{'b' * 121}:")
    assert [problem.field for problem in desk.problems()] == ["", f"runs.{'b' * 121}"]
    assert all("end at 120 characters" in problem.remedy for problem in desk.problems())


@pytest.mark.parametrize("kind", ["datasets", "models", "studies"])
def test_files_whose_names_are_one_to_dagster_are_a_problem(desk, kind) -> None:
    text = (desk.root / kind / {"datasets": "stories", "models": "tiny", "studies": "first"}[kind]).with_suffix(".yaml")
    desk.write(f"{kind}/a-b_c.yaml", text.read_text())
    desk.write(f"{kind}/a_b-c.yaml", text.read_text())
    (problem,) = [problem for problem in desk.problems() if problem.file == f"catalog/{kind}/a_b-c.yaml"]
    assert problem.remedy == "there is a-b_c, too: Dagster writes - as _, and could not tell the two apart; rename one"


def test_runs_whose_names_are_one_to_dagster_are_a_problem(desk) -> None:
    desk.edit("studies/first.yaml", "base:", "a-b: {model: tiny, answer: {max_new_tokens: 3}}\n  a_b:")
    (problem,) = desk.problems()
    assert (problem.field, problem.value) == ("runs.a_b", '"a_b"')
    assert "has a-b: Dagster writes - as _" in problem.remedy
