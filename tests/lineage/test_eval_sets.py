"""A probe, or documents asked one by one, cost what they are and rebuild nothing that is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.planner import Cached
from rc_pipeline.lineage import load_lineage

STUDY = """\
title: Before and after
train_on: {{stories: all}}
evaluate_on: [{sets}]
runs:
  base: {{model: rc_tiny}}
  tuned: {{model: rc_tiny, tune: {{rank: 2}}}}
"""
FILES = {
    "datasets/stories.yaml": "title: S\nformat: cosmos_qa\nsource: {sample: {seed: 1, train: 20, valid: 8, test: 4}}\n",
    "datasets/quiz.yaml": "title: Q\nformat: trivia_qa\nsource: {sample: {seed: 1, train: 20, valid: 8, test: 4}}\n",
    "tasks/stories/choose.yaml": """\
instruction: Choose.
input: "{{ context }}\\n\\n{{ question }}"
choices: ["{{ answer0 }}", "{{ answer1 }}", "{{ answer2 }}", "{{ answer3 }}"]
label: "{{ label }}"
output: "{{ choices[label] }}"
""",
    "tasks/quiz/answer.yaml": 'instruction: "{{ question }}"\ninput: "{{ passage }}"\noutput: "{{ answer }}"\n',
    "prompts/plain.json": '{"prompt_input": "{instruction}\\n{input}\\n=", "prompt_no_input": "{instruction}\\n=", '
    '"response_split": "="}',
    "models/rc_tiny.yaml": "title: T\nfamily: llama\nsource: {shipped: rc_tiny}\nprompt: plain\ncontext_tokens: 512\n",
}
PLAIN = "stories/valid, quiz/wikipedia-dev"


def laid_out(folder: Path, sets: str) -> Lake:
    for name, text in (FILES | {"studies/both.yaml": STUDY.format(sets=sets)}).items():
        path = folder / "catalog" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Lake(folder / "lake", load_lineage(folder / "catalog", folder / "lake").graph)


def build(lake: Lake, *keys: str) -> None:
    from assets import instructions, passages, raw, tables

    stages = {"raw": raw, "tables": tables, "passages": passages, "instructions": instructions}
    for key in lake.graph.upstream(keys):
        stage = stages[lake.graph[key].stage]
        lake.obtain(key, lambda work, stage=stage: stage.build(work, None))  # type: ignore[misc]


@pytest.fixture
def built(tmp_path: Path) -> Path:
    build(laid_out(tmp_path, PLAIN), "instructions/stories", "instructions/quiz")
    return tmp_path


def read_by(lake: Lake, key: str) -> dict[str, str]:
    """Return the content of the instructions that a node reads."""
    found = {}
    for role, need in lake.graph[key].needs.items():
        if need.key.startswith("instructions/"):
            state = lake.planner().state(need.key)
            assert isinstance(state, Cached)
            found[role] = state.artifact.manifest.content_of(need.only)
    return found


def test_an_adapter_reads_the_same_rows_when_a_probe_is_added(built: Path) -> None:
    before = laid_out(built, PLAIN)
    content = read_by(before, "adapters/tuned")
    lake = laid_out(built, f"{PLAIN}, stories/valid.no_passage, stories/valid.shuffled_options")
    assert not isinstance(lake.planner().state("instructions/stories"), Cached)
    assert isinstance(lake.planner().state("instructions/quiz"), Cached)
    build(lake, "instructions/stories")
    assert read_by(lake, "adapters/tuned") == content
    assert lake.graph["adapters/tuned"] == before.graph["adapters/tuned"]
    asked = lake.graph["predictions/tuned/stories/valid.no_passage"].needs["instructions"]
    assert asked.only == "valid.no_passage.parquet"


def test_documents_one_by_one_leave_the_passages_of_all_together_alone(built: Path) -> None:
    assert "document_passages/quiz" not in laid_out(built, PLAIN).graph.nodes
    lake = laid_out(built, f"{PLAIN}, quiz/wikipedia-dev.by_document")
    assert isinstance(lake.planner().state("passages/quiz"), Cached)
    build(lake, "instructions/quiz")
    assert isinstance(lake.planner().state("instructions/quiz"), Cached)
    assert lake.graph["document_passages/quiz"].settings["splits"] == ["wikipedia-dev"]


def test_a_probe_shares_with_training_rows_what_its_questions_share(tmp_path: Path) -> None:
    graph = laid_out(tmp_path, "stories/valid.no_passage, quiz/wikipedia-dev.by_document").graph
    compared = [key for key in graph.nodes if key.startswith("overlaps/")]
    assert compared == ["overlaps/stories/quiz/wikipedia-dev", "overlaps/stories/stories/valid"]
