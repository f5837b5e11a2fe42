from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from pages import Command, Page, Reader

from rc_pipeline.catalog import load_catalog
from rc_pipeline.catalog.formats import FACTS, KITS
from rc_pipeline.catalog.prompts import PromptTemplate
from rc_pipeline.lake.code import PROJECT

PAGE = Page("templates.md")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with pytest.MonkeyPatch.context() as patch:
        reader = Reader(tmp_path_factory.mktemp("reader"), patch)
        reader.write(PAGE.files)
        for key in ("instructions/stories", "instructions/sums", "base_models/rc_tiny"):
            reader.build(key)
        yield reader


@pytest.mark.parametrize("command", [pytest.param(one, id=one.text[:60]) for one in PAGE.commands()])
def test_every_command_prints_what_the_page_shows(reader: Reader, command: Command) -> None:
    command.require(reader.give(command))


def test_the_page_counts_the_shipped_templates() -> None:
    catalog = load_catalog(PROJECT / "catalog")
    counted = {folder: int(count) for folder, count in re.findall(r"^\| `(\w+)` \| (\d+) \|", PAGE.text, re.MULTILINE)}
    shipped = {folder: len(found) for folder, found in catalog.tasks.items() if folder in FACTS or folder in KITS}
    assert counted == shipped


def test_the_page_names_every_field_of_a_prompt() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE.text)) | set(json.loads(PAGE.files["catalog/prompts/my_chat.json"]))
    assert set(PromptTemplate.model_fields) <= named | {"chat_template"}


@pytest.mark.parametrize("line", re.findall(r"^(prompt: \{shots.*)$", PAGE.text, re.MULTILINE))
def test_every_way_to_show_examples_is_a_run(reader: Reader, line: str) -> None:
    study = PAGE.files["catalog/studies/words.yaml"].replace("words_", "shown_")
    text = study.replace("shown_base: {model: rc_tiny}", f"shown_base: {{model: rc_tiny, {line.partition('#')[0]}}}")
    assert text != study
    reader.write({"catalog/studies/shown.yaml": text})
    assert load_catalog(reader.folder / "catalog").runs["shown_base"].prompt.shots
    (reader.folder / "catalog/studies/shown.yaml").unlink()
