"""What is named as the reason of a rebuild is the file that was edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from rc_pipeline.lake.graph import Graph
from rc_pipeline.lake.planner import ToBuild
from rc_pipeline.lineage import load_lineage
from tests.lineage.test_eval_sets import FILES, PLAIN, STUDY, build, laid_out

MERGED = STUDY.format(sets=PLAIN) + "merge: {tuned: fp32}\n"


@pytest.fixture
def graph(tmp_path: Path) -> Graph:
    for name, text in (FILES | {"studies/both.yaml": MERGED}).items():
        path = tmp_path / "catalog" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return load_lineage(tmp_path / "catalog", tmp_path / "lake").graph


def test_how_answers_are_judged_is_said_by_the_dataset(graph: Graph) -> None:
    origins = graph["scores/tuned/quiz/wikipedia-dev"].origins
    assert {Path(origins[name]).name for name in ("scored_as", "about")} == {"quiz.yaml"}
    assert Path(origins[""]).name == "both.yaml"


def test_a_new_probe_is_told_by_its_name_and_the_study_that_asks_it(tmp_path: Path) -> None:
    build(laid_out(tmp_path, PLAIN), "instructions/stories")
    state = laid_out(tmp_path, f"{PLAIN}, stories/valid.no_passage").planner().state("instructions/stories")
    assert isinstance(state, ToBuild)
    assert state.reason == "catalog/studies/both.yaml: evaluate_on.valid.no_passage added"

    build(laid_out(tmp_path, f"{PLAIN}, stories/valid.no_passage"), "instructions/stories")
    more = f"{PLAIN}, stories/valid.no_passage, stories/valid.shuffled_options"
    state = laid_out(tmp_path, more).planner().state("instructions/stories")
    assert isinstance(state, ToBuild)
    assert state.reason == "catalog/studies/both.yaml: evaluate_on.valid.shuffled_options added"


def test_what_a_model_card_tells_of_others_is_said_by_their_files(graph: Graph) -> None:
    origins = {name: Path(file).name for name, file in graph["merged/tuned"].origins.items()}
    assert origins == {
        "": "both.yaml", "card.base": "rc_tiny.yaml", "family": "rc_tiny.yaml", "context_tokens": "rc_tiny.yaml",
        "card.data.stories": "stories.yaml",
    }  # fmt: skip
