from __future__ import annotations

import re
from typing import get_args

import pytest
from pages import Command, Page, Reader

from rc_pipeline.catalog.formats import Kind
from rc_pipeline.official.submission import FORMS
from rc_pipeline.scoring.kinds import KINDS
from rc_pipeline.scoring.questions import ABOUT, FACTS, PERPLEXITY

PAGE = Page("scores.md")
NAMED = set(re.findall(r"`([\w.]+)`", PAGE.text)) | {
    name for code in re.findall(r"`([^`\n]+)`", PAGE.text) for name in code.split(", ")
}


@pytest.mark.parametrize("command", [pytest.param(one, id=one.text[:40]) for one in PAGE.commands()])
def test_every_command_prints_what_the_page_shows(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    reader = Reader(tmp_path_factory.mktemp("reader"), monkeypatch)
    reader.write(PAGE.files)
    command.require(reader.give(command))


def test_the_page_names_every_kind_with_its_metrics_and_every_column() -> None:
    assert set(KINDS) == set(get_args(Kind))
    metrics = {measure.name for own in KINDS.values() for measure in own}
    assert {*KINDS, *metrics, *ABOUT, *FACTS, *PERPLEXITY, *FORMS} <= NAMED
