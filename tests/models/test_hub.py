"""Models of a hub, fetched from a server on this machine by the hub's own client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.models.base import BaseModelError, base_folder, write_base
from rc_pipeline.models.hub import HubError
from rc_pipeline.models.loading import load_model, load_tokenizer
from tests.corpora.hub_server import ID, REVISION, Hub, serving
from tests.models.model_hub import ModelHandler
from tests.models.upstream import write_gpt2, write_minicpm


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    # The client tries again for some twenty seconds.
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.delenv("HF_TOKEN", raising=False)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving(ModelHandler) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        put(served, write_gpt2(tmp_path / "upstream").folder)
        yield served


def put(hub: Hub, folder: Path) -> None:
    hub.files = {path.name: path.read_bytes() for path in folder.iterdir()}
    hub.files |= {
        "README.md": b"hello",
        "tf_model.h5": b"x" * 99,
        "onnx/model.safetensors": b"x" * 99,
        "LICENSE": b"MIT",
    }


def fetch(folder: Path, *, family: str = "gpt2", revision: str = REVISION, model: str = ID) -> Outcome:
    source = {"hub": model, "revision": revision}
    return write_base(source=source, family=family, files={}, out=folder / "out", scratch=folder / "scratch")


def refusal(folder: Path, **wrong: str) -> str:
    with pytest.raises(HubError) as caught:
        fetch(folder, **wrong)
    return str(caught.value)


def test_a_gated_model_names_its_page_and_the_token(hub: Hub, tmp_path: Path) -> None:
    hub.gated, hub.token = True, "hf_right"

    said = refusal(tmp_path)

    assert "is gated" in said
    assert "HF_TOKEN" in said


def test_a_token_of_the_environment_opens_a_gated_model_and_is_in_no_message(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.gated, hub.token = True, "hf_right"
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "hf_wrong" not in refusal(tmp_path)

    monkeypatch.setenv("HF_TOKEN", "hf_right")
    assert fetch(tmp_path).metadata["layers"] == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"model": "someone/elses"}, "there is no model 'someone/elses' on the hub, or it is private"),
        ({"revision": "f" * 40}, f"has no commit {'f' * 40}"),
    ],
)
def test_a_model_or_a_commit_that_is_not_there_is_named(
    hub: Hub, tmp_path: Path, wrong: dict[str, str], said: str
) -> None:
    assert said in refusal(tmp_path, **wrong)


def test_a_hub_that_is_busy_is_tried_again_by_a_person(hub: Hub, tmp_path: Path) -> None:
    hub.busy = "/tree/"

    assert "answered 503. Start again later" in refusal(tmp_path)


def test_without_a_network_the_folder_to_fill_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")

    said = refusal(tmp_path)

    assert "check the network" in said
    assert "data_lake/inbox/models/stories" in said
    assert "source: {folder: models/stories}" in said


def test_offline_mode_is_told_apart_from_a_network_that_is_down(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    assert "HF_HUB_OFFLINE is set" in refusal(tmp_path)


def test_only_files_that_decide_the_model_are_fetched(hub: Hub, tmp_path: Path) -> None:
    fetch(tmp_path)

    assert base_folder(tmp_path / "out") == tmp_path / "out"
    wanted = {name for name in hub.files if "/" not in name} - {"README.md", "tf_model.h5"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == wanted
    assert not any(name in asked for asked in hub.asked for name in ("README", "h5", "onnx/model"))
    assert load_tokenizer(tmp_path / "out").eos_token_id == 2


def test_a_checkpoint_with_code_is_converted_without_fetching_the_code(hub: Hub, tmp_path: Path) -> None:
    put(hub, write_minicpm(tmp_path / "minicpm").folder)

    outcome = fetch(tmp_path, family="minicpm")

    assert not [asked for asked in hub.asked if ".py" in asked]
    assert outcome.metadata["loaded_as"] == "granite"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "LICENSE", "config.json", "model-00001.safetensors", "model.safetensors.index.json", "tokenizer.json",
        "tokenizer_config.json",
    }  # fmt: skip
    assert load_model(tmp_path / "out", family="minicpm").config.model_type == "granite"


def test_what_was_fetched_before_a_failure_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    hub.busy = "tokenizer.json"
    refusal(tmp_path)
    hub.busy, hub.asked = "nothing", []

    fetch(tmp_path)

    assert any(asked.startswith("GET") and "tokenizer.json" in asked for asked in hub.asked)
    assert not any(asked.startswith("GET") and asked.endswith("model.safetensors") for asked in hub.asked)


def test_a_model_of_another_family_is_refused_before_it_is_converted(hub: Hub, tmp_path: Path) -> None:
    put(hub, write_minicpm(tmp_path / "minicpm").folder)

    with pytest.raises(BaseModelError, match="State `family: minicpm`"):
        fetch(tmp_path, family="chatglm2")
