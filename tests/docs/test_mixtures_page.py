from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pages import Page, Reader

from rc_pipeline.catalog import load_catalog
from rc_pipeline.training.mixture import mixture

PAGE = Page("mixtures.md")
SIZES = {"cosmos_qa": 25262, "trivia_qa": 61888, "identity": 295}
ROWS = re.findall(r"^\| `(\{cosmos_qa.*?\})` \| `(\{.*?\})` \| (\d+) \| (\d+) \| (\d+) \|$", PAGE.text, re.MULTILINE)


def test_every_study_of_the_page_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(tmp_path, monkeypatch)
    reader.write(PAGE.files)
    runs = load_catalog(tmp_path / "catalog").runs
    assert {"mixed_tuned", "stories_only", "tempered--temperature-5", "tempered--rows-200"} <= set(runs)
    assert runs["mixed_tuned"].train_on == {"identity": "2%", "sample_cosmos": None, "sample_trivia": 500}


@pytest.mark.parametrize(("train_on", "how", "cosmos", "trivia", "identity"), ROWS)
def test_every_row_of_the_table_is_what_comes_out(  # noqa: PLR0913, PLR0917
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, train_on: str, how: str, cosmos: str, trivia: str, identity: str
) -> None:
    reader = Reader(tmp_path, monkeypatch)
    study = {"title": "T", "train_on": yaml.safe_load(train_on), "mixture": yaml.safe_load(how)}
    study |= {"evaluate_on": ["cosmos_qa/valid"], "runs": {"tabled": {"model": "rc_tiny", "tune": {}}}}
    reader.write({"catalog/studies/tabled.yaml": yaml.safe_dump(study)})
    run = load_catalog(tmp_path / "catalog").runs["tabled"]
    assert run.mixture is not None
    taken = mixture(SIZES, run.train_on, rows=run.mixture.rows, temperature=run.mixture.temperature)
    assert [taken[name] for name in SIZES] == [int(cosmos), int(trivia), int(identity)]


def test_the_table_was_read() -> None:
    assert len(ROWS) == 8
