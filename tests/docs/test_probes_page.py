from __future__ import annotations

from collections.abc import Iterator

import pytest
from pages import Command, Page, Reader

from rc_pipeline.instructions.asked import ASKED_SCHEMA
from rc_pipeline.instructions.probes import WAYS_TO_ASK

PAGE = Page("probes.md")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with pytest.MonkeyPatch.context() as patch:
        reader = Reader(tmp_path_factory.mktemp("reader"), patch)
        reader.write(PAGE.files)
        reader.build("instructions/walks")
        reader.build("instructions/rivers")
        yield reader


@pytest.mark.parametrize("command", [pytest.param(one, id=one.text[:60]) for one in PAGE.commands()])
def test_every_command_prints_what_the_page_shows(reader: Reader, command: Command) -> None:
    command.require(reader.give(command))


def test_the_page_names_every_way_to_ask_and_every_column() -> None:
    assert all(f".{way}`" in PAGE.text for way in WAYS_TO_ASK)
    assert all(f"| `{column}` |" in PAGE.text for column in ASKED_SCHEMA)
