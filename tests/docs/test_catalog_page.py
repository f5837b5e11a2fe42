from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from pages import Command, Page, Reader
from pydantic import BaseModel

from rc_pipeline.catalog.datasets import Dataset
from rc_pipeline.catalog.formats import FACTS
from rc_pipeline.catalog.models import BaseModelCard
from rc_pipeline.catalog.prompts import PromptTemplate
from rc_pipeline.catalog.settings import Answer, Mixture, PromptUse, Tune
from rc_pipeline.catalog.sources import SOURCES
from rc_pipeline.catalog.studies import RunEntry, Study
from rc_pipeline.catalog.tasks import TaskTemplate
from rc_pipeline.lake.code import PROJECT

PAGE = Page("catalog.md")
PROSE = re.sub(r"^```.*?^```$", "", PAGE.text, flags=re.MULTILINE | re.DOTALL)
NAMED = {part for code in re.findall(r"`([^`]+)`", PROSE) for part in re.split(r"\W+", code)}
MODELS = (Dataset, TaskTemplate, PromptTemplate, BaseModelCard, Study, RunEntry, Tune, Answer, PromptUse, Mixture)


@pytest.mark.parametrize("model", MODELS)
def test_the_page_names_every_field(model: type[BaseModel]) -> None:
    assert set(model.model_fields) - NAMED == set()


def test_the_page_names_every_source() -> None:
    assert set(SOURCES) <= NAMED


@pytest.mark.parametrize("fmt", FACTS)
def test_the_page_lists_the_columns_and_splits_of_every_format(fmt: str) -> None:
    row = next(line for line in PAGE.text.splitlines() if line.startswith("| `") and f"`{fmt}`" in line.split("|")[1])
    facts = FACTS[fmt]
    assert " ".join(facts.columns) in row
    assert (f"| `{facts.scored_as}` |" if facts.scored_as else "its `scored_as`") in row
    assert (f"`{facts.train}`" if facts.train else "nothing") in row.split("|")[4]


def test_nine_mistakes_are_told_as_the_page_shows_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(tmp_path, monkeypatch)
    catalog, mine = tmp_path / "catalog", "title: M\nfamily: llama\nsource: {hub: o/n, revision: main}\nprompt: plain\n"
    shutil.copy(PROJECT / "catalog" / "studies" / "demo.yaml", catalog / "studies")
    reader.write({f"catalog/models/mine.{ending}": f"{mine}context_tokens: 512\n" for ending in ("yaml", "yml")})
    for file, old, new in (
        ("datasets/sample_cosmos.yaml", "format: cosmos_qa", "format: cosmosqa"),
        ("datasets/sample_cosmos.yaml", "train: 3000", 'train: "200"'),
        ("datasets/sample_cosmos.yaml", "tolerated_bad_rows", "tolerated_bad_row"),
        ("prompts/plain.json", "{input}", "{inputs}"),
        ("studies/demo.yaml", "{model: rc_tiny}", "{model: rc_tny}"),
        ("studies/demo.yaml", "learning_rate: 4e-3", "learning_rate: 5"),
        ("tasks/sample_trivia/answer.yaml", "{{ passage }}", "{{ pasage }}"),
    ):
        said = (catalog / file).read_text(encoding="utf-8")
        assert old in said
        (catalog / file).write_text(said.replace(old, new), encoding="utf-8")
    printed = reader.give(Command("rc-pipeline plan demo", ""))
    assert f"```\n{printed}```" in PAGE.text
