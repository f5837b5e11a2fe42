"""The studies of the mission from raw files to their reports, as shipped but for rows, tokens and sizes of models."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from rc_pipeline.definitions import build_definitions
from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lake.store import Artifact
from rc_pipeline.lineage import load_lineage
from resources.compute import InlineCompute
from tests.demo.mission_files import write_inbox

STUDIES = ("full_pipeline", "bayling_translation", "gpt2_before_after", "flan_comparison", "my_data")
TRAINED, ASKED = 8, 2
# The tiny tokenizers write a word in about so many tokens.
TIMES_TOKENS = 4
# A step or two must move weights by more than what bf16 rounds away, as a thousand of them do.
LEARNING_RATE = 2e-2
# What there are too few rows for: the published count.
MAY_FAIL = {"published_counts"}
# By libraries that are loaded on the way, whatever a study's size.
FILES_LEFT_OPEN = 40


@dataclass(frozen=True)
class Mission:
    catalog: Path
    lake: Path

    def change(self, file: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Rewrite a file of the catalog."""
        path = self.catalog / file
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(data)
        path.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), encoding="utf-8")

    def run(self, study: str) -> dict[str, Artifact]:
        """Run a study's job and return what stands of it."""
        definitions = build_definitions(self.catalog, self.lake, InlineCompute())
        job = definitions.resolve_job_def(study)
        assert job.execute_in_process(instance=dg.DagsterInstance.ephemeral()).success
        lineage = load_lineage(self.catalog, self.lake)
        lake = Lake(self.lake, lineage.graph)
        assert lake.warehouse.is_current()
        heads = lake.store.all_heads()
        return {key: heads[key] for key in lineage.study(study)}


@pytest.fixture(scope="module")
def mission(tmp_path_factory: pytest.TempPathFactory) -> Mission:
    folder = tmp_path_factory.mktemp("mission")
    made = Mission(Path(shutil.copytree(PROJECT / "catalog", folder / "catalog")), folder / "lake")
    write_inbox(made.lake / "inbox")
    for study in STUDIES:
        made.change(f"studies/{study}.yaml", _with_few_rows)
    for path in (made.lake / "inbox" / "models").iterdir():
        made.change(f"models/{path.name}.yaml", lambda card, name=path.name: _from_a_folder(card, name))
    for dataset in ("sample_cosmos", "sample_trivia"):
        made.change(f"datasets/{dataset}.yaml", lambda data: data["source"]["sample"].update(train=40, valid=8, test=4))
    return made


def _with_few_rows(study: dict[str, Any]) -> None:
    study["train_on"] = dict.fromkeys(study["train_on"], TRAINED)
    study["evaluate_on"] = dict.fromkeys(study["evaluate_on"], ASKED)
    for tune in (run["tune"] for run in study["runs"].values() if "tune" in run):
        tune |= {"max_tokens": TIMES_TOKENS * tune.get("max_tokens", 512), "learning_rate": LEARNING_RATE}


def _from_a_folder(card: dict[str, Any], name: str) -> None:
    card["context_tokens"] *= TIMES_TOKENS
    if "hub" in card["source"]:
        card["source"] = {"folder": f"models/{name}"}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("study", STUDIES)
def test_a_study_of_the_mission_runs_from_raw_files_to_its_report(mission: Mission, study: str) -> None:
    before = _open_files()
    built = mission.run(study)

    assert _open_files() - before < FILES_LEFT_OPEN
    assert (built[f"reports/{study}"].folder / "report.md").is_file()
    assert _failed(built) == {}
    for key, artifact in built.items():
        told = artifact.manifest.results().metadata
        if key.startswith("adapters/"):
            given = {name: value for name, value in told.items() if name.startswith("rows_from_")}
            assert set(given.values()) == {TRAINED}, key
            assert told["examples"] + told.get("held_out", 0) == sum(given.values()), key
        elif key.startswith("predictions/"):
            assert 1 <= told["rows"] <= ASKED, key
    merged = [artifact for key, artifact in built.items() if key.startswith("merged/")]
    assert [(one.folder / "config.json").is_file() for one in merged] == [True] * (study == "bayling_translation")


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _failed(built: dict[str, Artifact]) -> dict[str, Any]:
    return {
        f"{key}: {check.name}": check.metadata
        for key, artifact in built.items()
        for check in artifact.manifest.results().checks
        if not check.passed and check.name not in MAY_FAIL
    }
