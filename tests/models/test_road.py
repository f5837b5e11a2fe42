"""From a published checkpoint to scores: every layout through the project's own job, as a user's study runs it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
import yaml

from rc_pipeline.definitions import build_definitions
from rc_pipeline.lake.store import Artifact, Store
from resources.compute import InlineCompute
from tests.demo.small_study import copy_catalog
from tests.models.upstream import WRITERS

PROMPTS = {
    "minicpm": "minicpm",
    "chatglm2": "chatglm2",
    "llama2": "alpaca",
    "vicuna": "vicuna",
    "gpt2": "plain",
    "qwen2": "brief",
    "flan_t5": "plain",
}
TUNE = {"method": "lora", "rank": 2, "learning_rate": 1e-3, "batch_size": 4}
# GPT-2 has a weight for every place in a text; the tiny one was made for 256, the padding of options included.
TOKENS = dict.fromkeys(PROMPTS, 800) | {"gpt2": 256}
CONVERTED = {"minicpm", "chatglm2", "vicuna"}


@dataclass
class Road:
    """A catalog with a model of every layout, and the lake that its study was run in."""

    catalog: Path
    lake: Path

    def add(self, name: str, family: str, prompt: str) -> None:
        source = {"folder": f"models/{name}"}
        card = {"title": name, "family": family, "source": source, "context_tokens": TOKENS[name]}
        (self.catalog / "models" / f"{name}.yaml").write_text(yaml.safe_dump(card | {"prompt": prompt}))

    def study(self, *models: str) -> None:
        told = {
            "title": "The road",
            "train_on": {"sample_cosmos": 8},
            "evaluate_on": {"sample_cosmos/valid": 4},
            "runs": {f"{name}_tuned": {"model": name, "tune": TUNE | {"max_tokens": TOKENS[name]}} for name in models},
        }
        (self.catalog / "studies" / "road.yaml").write_text(yaml.safe_dump(told))

    def run(self) -> None:
        definitions = build_definitions(self.catalog, self.lake, InlineCompute())
        job = definitions.resolve_job_def("road")
        assert job.execute_in_process(instance=dg.DagsterInstance.ephemeral()).success

    def built(self, key: str) -> Artifact:
        return Store(self.lake).all_heads()[key]


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Road:
    folder = tmp_path_factory.mktemp("road")
    made = Road(copy_catalog(folder / "catalog"), folder / "lake")
    (made.lake / "inbox" / "models").mkdir(parents=True)
    for study in (made.catalog / "studies").iterdir():
        # They name models that are put here in their tiny form, and would ask too much of them.
        study.unlink()
    for name, write in WRITERS.items():
        made.add(name, write(made.lake / "inbox" / "models" / name).family, PROMPTS[name])
    made.study(*WRITERS)
    made.run()
    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_a_published_checkpoint_is_tuned_asked_and_scored(road: Road, name: str) -> None:
    adapter = road.built(f"adapters/{name}_tuned").manifest.results()

    assert adapter.metadata["steps"] == 2
    assert all(check.passed for check in adapter.checks)
    assert road.built(f"predictions/{name}_tuned/sample_cosmos/valid").manifest.results().metadata["rows"] == 4
    assert f"scores/{name}_tuned/sample_cosmos/valid" in Store(road.lake).all_heads()


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_a_checkpoint_is_converted_only_where_it_cannot_be_read_in_place(road: Road, name: str) -> None:
    artifact = road.built(f"base_models/{name}")

    assert (artifact.folder / "model.safetensors.index.json").is_file() is (name in CONVERTED)
    assert (artifact.folder / "_paths.json").is_file() is (name not in CONVERTED)
    adapter = json.loads((road.built(f"adapters/{name}_tuned").folder / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == name
