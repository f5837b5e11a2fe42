"""What README.md and cache-and-lineage.md show of `plan`, `why` and `accept`, after the edits that they speak of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pages import Command, Page
from terminal import Terminal

from tests.demo.small_study import SmallStudy

README, CACHE = Page("README.md"), Page("cache-and-lineage.md")
TEMPLATE, CODE = "catalog/tasks/sample_trivia/find.yaml", "rc_pipeline/scoring/build.py"
COUNTED = re.compile(r"(\d+) (to build|unknown|stand)")


@pytest.fixture
def terminal(demo: SmallStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal.open(demo, tmp_path / "project", monkeypatch)


@pytest.fixture
def edited(terminal: Terminal) -> Terminal:
    """The template says what README.md shows of it."""
    wording = re.search(r'templates\.find\.instruction = "(.+)"', README.text)
    assert wording
    said = yaml.safe_load((terminal.folder / TEMPLATE).read_text(encoding="utf-8"))
    terminal.write(TEMPLATE, yaml.safe_dump(said | {"instruction": wording[1]}, allow_unicode=True))
    return terminal


def require(command: Command, printed: str) -> None:
    command.require_but_for_figures(printed)
    assert COUNTED.findall(command.shown) == COUNTED.findall(printed)


@pytest.mark.parametrize("command", README.commands(), ids=lambda one: one.text)
def test_the_first_page_shows_what_an_edit_brings(edited: Terminal, command: Command) -> None:
    require(command, edited.give(command.text))


def test_the_page_on_the_cache_shows_what_an_edit_of_a_template_brings(edited: Terminal) -> None:
    plan, demo, why, *_ = CACHE.commands()
    require(plan, edited.give(plan.text))
    require(why, edited.give(why.text))
    reasons = re.findall(r"building, (.+)", demo.shown)
    assert reasons[0] in edited.give("rc-pipeline why instructions/sample_trivia")


def test_the_page_on_the_cache_shows_what_an_edit_of_code_brings(terminal: Terminal) -> None:
    *_, plan, accept, after = CACHE.commands()
    text = (terminal.folder / CODE).read_text(encoding="utf-8")
    terminal.write(CODE, text + "\n_NOT_USED = 1\n")
    for command in (plan, accept, after):
        command.require_but_for_figures(terminal.process(command.text))
    assert COUNTED.findall(terminal.process(after.text))[:2] == [("0", "to build"), ("0", "unknown")]
