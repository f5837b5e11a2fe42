from __future__ import annotations

import re

import pytest
from pages import Page
from pydantic import BaseModel

from rc_pipeline.catalog.datasets import Dataset
from rc_pipeline.catalog.formats import FACTS
from rc_pipeline.catalog.models import BaseModelCard
from rc_pipeline.catalog.prompts import PromptTemplate
from rc_pipeline.catalog.settings import Answer, Mixture, PromptUse, Tune
from rc_pipeline.catalog.sources import SOURCES
from rc_pipeline.catalog.studies import RunEntry, Study
from rc_pipeline.catalog.tasks import TaskTemplate

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
    assert f"| {'yes' if facts.scored else 'no'} |" in row
    assert (f"`{facts.train}`" if facts.train else "nothing") in row.split("|")[4]
