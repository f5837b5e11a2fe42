from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pages import Command, Page, Reader, table
from terminal import Terminal

from rc_pipeline.lake.build import Lake
from rc_pipeline.lineage import load_lineage
from tests.demo.small_study import SmallStudy

PAGE = Page("warehouse.md")
ROWS = {"seed": 1, "train": 20, "valid": 5, "test": 2}
LISTED = {
    view.replace("<dataset>", "sample_trivia"): columns.split(", ")
    for view, columns in re.findall(r"^\|.*?`([\w<>]+)` \|[^`|]*(?:\| )?`(\w+, [^`]+)`", PAGE.text, re.MULTILINE)
}
VIEWS = (
    "instructions raw_rows passages dropped_rows quarantine quarantine_counts passage_recall overlaps overlap_counts "
    "sample_trivia_questions sample_trivia_answers sample_trivia_pages sample_trivia_evidence sample_trivia_passages"
)
VIEWS_OF_RUNS = "scores score_slices scored_questions predictions latency runs lineage judgements skipped"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    with pytest.MonkeyPatch.context() as patch:
        reader = Reader(tmp_path_factory.mktemp("reader"), patch)
        dataset = {"title": "Sample", "format": "trivia_qa", "source": {"sample": ROWS}}
        study = {
            "title": "Sample",
            "train_on": {"sample_trivia": "all"},
            "runs": {"own": {"model": "rc_tiny", "tune": {}}},
        }
        study |= {"evaluate_on": ["sample_trivia/wikipedia-dev"]}
        files = {"datasets/sample_trivia": dataset, "studies/own": study}
        reader.write({f"catalog/{name}.yaml": yaml.safe_dump(said) for name, said in files.items()})
        reader.build("instructions/sample_trivia")
        reader.build("overlaps/sample_trivia/sample_trivia/wikipedia-dev")
        return reader


@pytest.mark.parametrize("view", VIEWS.split())
def test_a_view_has_the_columns_that_the_page_lists(reader: Reader, view: str) -> None:
    with reader.lake().warehouse.connect() as connection:
        found = [name for name, *_ in connection.execute(f'DESCRIBE "{view}"').fetchall()]
    assert found == LISTED[view]


@pytest.fixture
def terminal(demo: SmallStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal.open(demo, tmp_path / "project", monkeypatch)


def test_so_have_the_views_of_runs(terminal: Terminal) -> None:
    lake = terminal.folder / "data_lake"
    with Lake(lake, load_lineage(terminal.folder / "catalog", lake).graph).warehouse.connect() as connection:
        found = {
            name: [one for one, *_ in connection.execute(f'DESCRIBE "{name}"').fetchall()]
            for name in VIEWS_OF_RUNS.split()
        }
    found["scored_questions"] = [name for name in found["scored_questions"] if name not in {"accuracy", "exact_match"}]
    assert found == {name: LISTED[name] for name in found}
    for page, view in (("predictions.md", "predictions"), ("scores.md", "scored_questions")):
        assert [name for name in found[view] if f"`{name}`" not in Page(page).text] == []


@pytest.mark.parametrize("command", [pytest.param(one, id=one.text[16:60]) for one in PAGE.commands() if one.shown])
def test_a_query_answers_with_the_columns_that_the_page_shows(terminal: Terminal, command: Command) -> None:
    assert table(terminal.give(command.text)) == table(command.shown)
