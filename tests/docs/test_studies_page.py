from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from pages import Page, Reader

from rc_pipeline.catalog import load_catalog
from rc_pipeline.commands.ahead import Ahead, ahead
from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lineage import Lineage, load_lineage
from tests.training.configs import (
    CHATGLM2_CONFIG,
    FLAN_T5_BASE_CONFIG,
    GPT2_CONFIG,
    LLAMA2_7B_CONFIG,
    MINICPM_CONFIG,
)

PAGE = Page("studies.md")
SHIPPED = PAGE.text.partition("## The studies that come with the project\n")[2]
CONFIGS: dict[str, Any] = {
    "minicpm_2b": MINICPM_CONFIG,
    "chatglm2_6b": CHATGLM2_CONFIG,
    "gpt2": GPT2_CONFIG,
    "flan_t5_base": FLAN_T5_BASE_CONFIG,
    **dict.fromkeys(("llama2_7b", "vicuna_7b", "bayling2_7b"), LLAMA2_7B_CONFIG),
}
MEMORY = re.findall(r"^\| (`[^|]+`) \| ([\d.]+) GB \| ([\d.]+) GB \|$", SHIPPED, re.MULTILINE)


@pytest.fixture(scope="module")
def lineage() -> Lineage:
    return load_lineage()


@pytest.fixture(scope="module")
def forecasts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ahead]:
    """What `plan` says of the shipped trainings where the published config.json files lie in the inbox."""
    lake = tmp_path_factory.mktemp("lake")
    catalog = tmp_path_factory.mktemp("shipped") / "catalog"
    _with_every_model_in_a_folder(catalog)
    for name, config in CONFIGS.items():
        path = lake / "inbox" / "models" / name / "config.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(config), encoding="utf-8")
    graph = load_lineage(catalog, lake).graph
    planner = Lake(lake, graph).planner()
    trained = [node for node in graph.nodes.values() if node.stage == "adapters"]
    return {node.key.removeprefix("adapters/"): ahead(node, planner) for node in trained}


def _with_every_model_in_a_folder(catalog: Path) -> None:
    shutil.copytree(PROJECT / "catalog", catalog)
    for path in (catalog / "models").glob("*.yaml"):
        says = path.read_text(encoding="utf-8")
        path.write_text(
            re.sub(r"^source: \{hub: .*\}$", f"source: {{folder: models/{path.stem}}}", says, flags=re.MULTILINE),
            encoding="utf-8",
        )


def test_the_study_of_the_page_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(tmp_path, monkeypatch)
    reader.write(PAGE.files)
    runs = load_catalog(tmp_path / "catalog").runs

    assert {"reading_base", "reading_lora--rank-2", "reading_lora--rank-32", "reading_lora--seed-1"} <= set(runs)
    assert runs["reading_lora"].merge == "fp32"


def test_the_page_tells_of_every_shipped_study_and_counts_its_artifacts(lineage: Lineage) -> None:
    told = {name: int(count) for name, count in re.findall(r"^\| `(\w+)` \| (\d+) \|", SHIPPED, re.MULTILINE)}

    assert told == {name: len(lineage.study(name)) for name in lineage.catalog.studies if name in told}
    assert set(told) == {path.stem for path in (PROJECT / "catalog" / "studies").glob("*.yaml")}


def test_the_page_names_what_each_study_asks_its_user_for_and_nothing_else(lineage: Lineage) -> None:
    parts = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^### |\Z)", SHIPPED, re.MULTILINE | re.DOTALL))

    assert set(parts) == set(lineage.catalog.studies) - {"demo"}
    for study, text in parts.items():
        cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
        asked = {path for cell in cells for path in re.findall(r"`([^`]+)`", cell)}
        assert asked == _files_of(lineage, study), study


def _files_of(lineage: Lineage, study: str) -> set[str]:
    files = [str(path) for key in lineage.study(study) for path in lineage.graph[key].files.values()]
    inbox = [path.partition("/inbox/")[2].removesuffix("/config.json") for path in files]
    return {path for path in inbox if path}


@pytest.mark.parametrize(("runs", "least", "kept"), MEMORY)
def test_the_memory_of_a_training_is_what_plan_says(
    forecasts: dict[str, Ahead], runs: str, least: str, kept: str
) -> None:
    for run in re.findall(r"`([^`]+)`", runs):
        found = forecasts[run]
        assert found.gpu_bytes is not None
        assert found.gpu_bytes_kept is not None
        assert (f"{found.gpu_bytes / 1e9:.1f}", f"{found.gpu_bytes_kept / 1e9:.1f}") == (least, kept)


def test_the_table_of_memory_tells_of_every_main_training(lineage: Lineage) -> None:
    told = {run for runs, *_ in MEMORY for run in re.findall(r"`([^`]+)`", runs)}
    studies = (study for name, study in lineage.catalog.studies.items() if name not in {"demo", "flan_comparison"})
    assert {name for study in studies for name, run in study.runs.items() if run.tune} <= told
