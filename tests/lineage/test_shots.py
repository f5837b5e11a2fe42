"""Solved examples are needed by the templates that show them, so that words of others train nothing again."""

from __future__ import annotations

from pathlib import Path

from rc_pipeline.lineage import load_lineage
from tests.lineage.test_eval_sets import FILES, PLAIN, STUDY, laid_out

CHOOSE = FILES["tasks/stories/choose.yaml"]


def test_a_run_needs_the_examples_of_the_templates_that_it_learns_or_is_asked_with(tmp_path: Path) -> None:
    laid_out(tmp_path, PLAIN)
    tasks, study = tmp_path / "catalog" / "tasks" / "stories", tmp_path / "catalog" / "studies" / "both.yaml"
    (tasks / "unseen.yaml").write_text(f"use: [held_out]\n{CHOOSE}", encoding="utf-8")
    (tasks / "taught.yaml").write_text(f"use: [train]\n{CHOOSE}", encoding="utf-8")
    asked = STUDY.format(sets=f"{PLAIN}, stories/valid.unseen, stories/valid.no_passage")
    study.write_text(asked.replace("{model:", "{prompt: {shots: 2}, model:"), encoding="utf-8")
    shown = {
        key: {need.only for role, need in node.needs.items() if role.startswith("shots.")}
        for key, node in load_lineage(tmp_path / "catalog", tmp_path / "lake").graph.nodes.items()
    }
    assert shown["adapters/tuned"] == {"shots.choose.parquet", "shots.taught.parquet"}
    for run in ("base", "tuned"):
        assert shown[f"predictions/{run}/stories/valid"] == {"shots.choose.parquet"}
        assert shown[f"predictions/{run}/stories/valid.no_passage"] == {"shots.choose.parquet"}
        assert shown[f"predictions/{run}/stories/valid.unseen"] == {"shots.unseen.parquet"}
        assert shown[f"predictions/{run}/quiz/wikipedia-dev"] == {"shots.answer.parquet"}
