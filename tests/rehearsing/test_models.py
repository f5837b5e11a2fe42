"""What a rehearsal says of the real models: gated ones, broken folders, missing ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from huggingface_hub import constants

from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lineage import load_lineage
from rc_pipeline.rehearsing.models import StandIn, stand_in
from rc_pipeline.rehearsing.tiny import write_tiny
from tests.corpora.hub_server import ID, REVISION, Hub, serving
from tests.models.model_hub import ModelHandler
from tests.models.upstream import write_chatglm2, write_gpt2, write_llama2


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("time.sleep", lambda _: None)
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    folder = write_gpt2(tmp_path / "upstream").folder
    with serving(ModelHandler) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        served.files = {path.name: path.read_bytes() for path in folder.iterdir()}
        yield served


def of(tmp_path: Path, family: str, source: dict[str, str]) -> StandIn:
    """Return what stands in for a model of this source."""
    catalog = tmp_path / "catalog"
    if not catalog.exists():
        shutil.copytree(PROJECT / "catalog", catalog)
    card = {"title": "Mine", "family": family, "source": source, "prompt": "plain", "context_tokens": 200}
    (catalog / "models" / "mine.yaml").write_text(yaml.safe_dump(card))
    lineage = load_lineage(catalog, tmp_path / "lake")
    planner = Lake(tmp_path / "lake", lineage.graph).planner()
    return stand_in(lineage.catalog, "mine", planner, tmp_path / "made", tmp_path / "known", write_tiny)


def test_a_gated_model_is_named_before_anything_is_trained(hub: Hub, tmp_path: Path) -> None:
    hub.gated, hub.token = True, "hf_right"
    found = of(tmp_path, "gpt2", {"hub": ID, "revision": REVISION})

    assert [one.state for one in found.findings] == ["problem"]
    assert f"{ID} is gated" in found.findings[0].says and found.findings[0].subject == "catalog/models/mine.yaml"
    assert not found.own_tokenizer


def test_a_revision_that_does_not_exist_is_a_problem(hub: Hub, tmp_path: Path) -> None:
    found = of(tmp_path, "gpt2", {"hub": ID, "revision": "f" * 40})
    assert [one.state for one in found.findings] == ["problem"]


def test_a_hub_lends_the_tokenizer_and_no_weights(hub: Hub, tmp_path: Path) -> None:
    found = of(tmp_path, "gpt2", {"hub": ID, "revision": REVISION})

    assert [one.state for one in found.findings] == ["ok"]
    assert found.own_tokenizer and found.real is not None
    assert not any("safetensors" in asked and "resolve" in asked for asked in hub.asked)
    hub.asked.clear()
    assert of(tmp_path, "gpt2", {"hub": ID, "revision": REVISION}).own_tokenizer
    assert not hub.asked


def test_who_is_offline_on_purpose_is_warned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = of(tmp_path, "gpt2", {"hub": ID, "revision": REVISION})
    assert [one.state for one in found.findings] == ["warning"]


def test_a_folder_that_is_not_there_names_its_place(tmp_path: Path) -> None:
    found = of(tmp_path, "chatglm2", {"folder": "models/mine"})

    assert [one.state for one in found.findings] == ["problem"]
    assert str(tmp_path / "lake" / "inbox" / "models" / "mine") in found.findings[0].says
    assert found.changes == {"source": {"folder": str(tmp_path / "made" / "mine")}}


@pytest.mark.parametrize(("write", "family", "lost"), [
    (write_llama2, "llama", "model-00002-of-00002.safetensors"),
    (write_chatglm2, "chatglm2", "pytorch_model-00003-of-00003.bin"),
])  # fmt: skip
def test_a_shard_that_is_missing_is_named(
    tmp_path: Path, write: Callable[[Path], object], family: str, lost: str
) -> None:
    folder = tmp_path / "lake" / "inbox" / "models" / "mine"
    folder.parent.mkdir(parents=True)
    write(folder)
    (folder / lost).unlink()
    found = of(tmp_path, family, {"folder": "models/mine"})

    assert [one.state for one in found.findings] == ["problem"]
    assert lost in found.findings[0].says
    assert found.own_tokenizer


def test_a_model_that_is_whole_is_no_finding(tmp_path: Path) -> None:
    folder = tmp_path / "lake" / "inbox" / "models" / "mine"
    folder.parent.mkdir(parents=True)
    write_llama2(folder)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    found = of(tmp_path, "llama", {"folder": "models/mine"})

    assert not found.findings and found.own_tokenizer
    assert before == {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
