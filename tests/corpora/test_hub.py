from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.corpora import hub as module
from rc_pipeline.corpora.downloads import DownloadFailed, DownloadRefused
from rc_pipeline.corpora.hub import write_hub
from rc_pipeline.corpora.sources import raw_files, write_raw
from rc_pipeline.lake.durable import LakeUnwritable
from tests.corpora.hub_server import ID, REVISION, Hub, serving

WANTED = {"id": ID, "config": "", "revision": REVISION, "splits": {"train": "train", "valid": "validation"}}
ROWS = {
    split: [{"question": f"{split} 问题 {n}", "label": n} for n in range(count)]
    for split, count in {"train": 2500, "validation": 3, "test": 2}.items()
}


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    pl.DataFrame(rows).write_parquet(file)
    return file.getvalue()


def card(text: str) -> bytes:
    return f"---\n{text}\n---\n# Stories\n".encode()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving() as one:
        one.files = {f"data/{split}.jsonl": jsonl(rows) for split, rows in ROWS.items()}
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.setenv("HF_ENDPOINT", one.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "home" / "elsewhere"))
        yield one


class Fetch:
    def __init__(self, folder: Path) -> None:
        self.scratch, self.out, self.said = folder / "scratch", folder / "out", list[str]()

    def __call__(self, **changed: Any) -> dict[str, int]:
        return write_hub(hub=WANTED | changed, folder=self.out, scratch=self.scratch, say=self.said.append)


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    return Fetch(tmp_path)


@pytest.mark.parametrize("why", ["HF_HUB_OFFLINE is set", "check the network"])
def test_without_a_network_one_message_says_what_to_put_where(
    fetch: Fetch, hub: Hub, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    if why == "check the network":
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    else:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DownloadFailed) as failed:
        fetch()
    said = str(failed.value)
    assert f"{ID} at revision {REVISION} cannot be reached ({why})" in said
    assert f"hf download {ID} --repo-type dataset --revision {REVISION}" in said
    assert "data_lake/inbox/stories/" in said
    assert (
        "source: {files: {train.parquet: stories/<file of train>, valid.parquet: stories/<file of validation>}}" in said
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"id": "someone/histories"}, "no dataset 'someone/histories' on the hub, or it is private.*HF_TOKEN"),
        ({"revision": "f" * 40}, f"{ID} has no commit f{{40}}. Take the hash"),
        ({"splits": {"valid": "dev"}}, "hub.splits.valid is 'dev', .* It has test, train, validation"),
        ({"config": "long"}, "hub.config is 'long'.*'long' not found. Available: .*'default'"),
    ],
)
def test_what_the_hub_does_not_have_is_named_with_its_field(
    fetch: Fetch, hub: Hub, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(DownloadRefused, match=said):
        fetch(**changed)
    assert list(fetch.out.iterdir()) == []
    assert list(fetch.scratch.iterdir()) == []


def test_a_dataset_of_several_configurations_wants_one_to_be_named(fetch: Fetch, hub: Hub) -> None:
    lines = [f"- config_name: {name}\n  data_files: data/{name}.jsonl" for name in ("train", "test")]
    hub.files["README.md"] = card("configs:\n" + "\n".join(lines))
    with pytest.raises(DownloadRefused, match=r"hub.config is ''.*pick one among .*'train', 'test'\]\.$"):
        fetch()
    assert fetch(config="test", splits={"valid": "train"}) == {"valid": 2}


@pytest.mark.parametrize("token", ["", "hf_wrong"])
def test_a_gated_dataset_says_how_to_be_let_in(
    fetch: Fetch, hub: Hub, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], token: str
) -> None:
    hub.gated, hub.token = True, "hf_secret"
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(DownloadRefused, match="is gated. Accept its terms.*HF_TOKEN") as refused:
        fetch()
    assert "hf_wrong" not in str(refused.value) + "".join(capfd.readouterr())


def test_a_private_dataset_is_read_with_the_token_of_the_environment(
    fetch: Fetch, hub: Hub, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.token = "hf_secret"
    Path(os.environ["HOME"], ".cache", "huggingface").mkdir(parents=True)
    Path(os.environ["HOME"], ".cache", "huggingface", "token").write_text("hf_secret")
    with pytest.raises(DownloadRefused, match="private"):
        fetch()
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert fetch()["train"] == 2500
    kept = [path for path in fetch.scratch.rglob("*") if path.is_file() and b"hf_secret" in path.read_bytes()]
    assert kept == []
    assert "hf_secret" not in "".join(capfd.readouterr())


def test_a_dataset_that_wants_to_run_code_is_refused(fetch: Fetch, hub: Hub) -> None:
    hub.files["stories.py"] = b"raise SystemExit('run')"
    with pytest.raises(DownloadRefused, match="needs code of its own, which is never run here"):
        fetch()


@pytest.mark.parametrize("path", ["{home}/secret.jsonl", "hf://datasets/other/one/x.jsonl", "../../x.jsonl"])
def test_a_dataset_that_names_files_outside_of_itself_is_refused(
    fetch: Fetch, hub: Hub, tmp_path: Path, path: str
) -> None:
    (tmp_path / "secret.jsonl").write_bytes(jsonl(ROWS["test"]))
    place = path.format(home=tmp_path)
    hub.files["README.md"] = card(
        f"configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: {place}"
    )
    with pytest.raises(DownloadRefused, match="do.'t belong to" if "{" in path else "no data files"):
        fetch(splits={"train": "train"})
    assert list(fetch.out.iterdir()) == []


def test_a_dataset_of_pictures_is_refused(fetch: Fetch, hub: Hub) -> None:
    hub.files = {"train/a.png": b"x", "train/b.png": b"y"}
    with pytest.raises(DownloadRefused, match="of the kind imagefolder, and only .*json, parquet"):
        fetch()


def test_a_dataset_without_data_is_refused(fetch: Fetch, hub: Hub) -> None:
    hub.files = {"README.md": card("license: mit")}
    with pytest.raises(DownloadRefused, match="no data files that can be read"):
        fetch()


def test_files_that_are_not_what_their_names_say_are_refused(fetch: Fetch, hub: Hub) -> None:
    hub.files["data/train.jsonl"] = b"<html>"
    with pytest.raises(DownloadRefused, match="cannot be read .*source: {files:"):
        fetch()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("size", ["100k", "320k"])
def test_a_disk_that_fills_up_is_told_with_the_remedy(fetch: Fetch, hub: Hub, size: str) -> None:
    fetch.scratch.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", fetch.scratch])
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        hub.files["data/train.jsonl"] = jsonl(ROWS["train"] * 2)
        with pytest.raises(LakeUnwritable, match="the disk is full .*Free some space"):
            fetch()
    finally:
        subprocess.run(["umount", fetch.scratch], check=True)


def test_fewer_rows_than_the_description_says_are_refused(fetch: Fetch, hub: Hub) -> None:
    hub.files["README.md"] = card("dataset_info:\n  splits:\n  - name: train\n    num_examples: 9999\n    num_bytes: 1")
    with pytest.raises(DownloadRefused, match="train of someone/stories has 2500 rows, .* says 9999"):
        fetch()


def test_a_hub_that_is_busy_may_answer_later(fetch: Fetch, hub: Hub) -> None:
    hub.busy = "/api/"
    with pytest.raises(DownloadFailed, match="the hub answered 503. Start again later"):
        fetch()


def test_a_run_that_was_stopped_is_gone_on_with_by_the_next(
    fetch: Fetch, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, valid = (f"GET /datasets/{ID}/resolve/{REVISION}/data/{split}.jsonl" for split in ("train", "validation"))

    def stop(text: str) -> None:
        assert text.startswith(f"{ID}: ")
        if valid.replace("GET", "HEAD") in hub.asked:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.1)
    hub.silent = "data/validation.jsonl"
    with pytest.raises(KeyboardInterrupt):
        write_hub(hub=WANTED, folder=fetch.out, scratch=fetch.scratch, say=stop)
    assert train in hub.asked
    assert list(fetch.out.iterdir()) == []
    hub.over.set()
    hub.asked = []
    assert fetch() == {"train": 2500, "valid": 3}
    assert train not in hub.asked
    assert valid in hub.asked


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_the_splits_that_are_asked_for_become_parquet_and_no_others_are_fetched(
    tmp_path: Path, hub: Hub, kind: str
) -> None:
    write = {"jsonl": jsonl, "parquet": parquet}[kind]
    hub.files = {f"data/{split}-00000-of-00001.{kind}": write(rows) for split, rows in ROWS.items()}
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    outcome = write_raw(source={"hub": WANTED}, fmt="alpaca", files={}, out=out, scratch=scratch)
    assert outcome.metadata["rows of train"] == 2500
    assert outcome.metadata["rows of valid"] == 3
    for name, theirs in {"train.parquet": "train", "valid.parquet": "validation"}.items():
        assert pl.read_parquet(raw_files(out)[name]).to_dicts() == ROWS[theirs]
    assert sorted(raw_files(out)) == ["train.parquet", "valid.parquet"]
    assert not any("data/test" in asked for asked in hub.asked if "/resolve/" in asked)
    assert not (tmp_path / "home").exists()
