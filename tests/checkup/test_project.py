from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rc_pipeline.checkup import project as looked_at
from rc_pipeline.checkup.findings import Finding
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lineage import load_lineage


def found(folder: Path) -> dict[str, Finding]:
    return {one.subject: one for one in looked_at.project(folder)}


def test_a_lake_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    lake = found(tmp_path / "file")["lake"]
    assert lake.state == "problem"
    assert "RC_LAKE" in lake.remedy


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_is_a_problem(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
    try:
        with pytest.raises(OSError), (disk / "all").open("wb", buffering=0) as file:
            while True:
                file.write(b"0" * 4096)
        assert found(disk)["lake"].state == "problem"
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_dagster_home_that_is_no_folder_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "relative/home")
    assert found(tmp_path)["dagster"].state == "problem"
    monkeypatch.delenv("DAGSTER_HOME")
    assert found(tmp_path)["dagster"].state == "warning"


def test_a_mistake_in_the_catalog_is_told_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = Path(shutil.copytree(PROJECT / "catalog", tmp_path / "catalog"))
    card = catalog / "models" / "gpt2.yaml"
    card.write_text(card.read_text().replace("family: gpt2", "family: gtp2"))
    monkeypatch.setattr(looked_at, "load_lineage", lambda lake: load_lineage(catalog, lake))
    said = found(tmp_path / "lake")["catalog"]
    assert said.state == "problem"
    assert "gpt2.yaml" in said.says
    assert "family" in said.says


def test_what_is_missing_is_said_with_its_place_and_its_source(tmp_path: Path) -> None:
    findings = found(tmp_path)
    assert findings["study demo"].state == "ok"
    raw = findings["raw/cosmos_qa"]
    assert raw.state == "absent"
    assert str(tmp_path / "inbox" / "cosmos_qa") in raw.says
    assert "https://github.com/wilburOne/cosmosqa" in raw.remedy
    assert "full_pipeline" in raw.remedy


def test_a_token_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_do_not_show")
    findings = found(tmp_path)
    assert findings["hub"].state == "ok"
    assert "hf_do_not_show" not in repr(findings)


def test_nothing_is_left_in_the_lake_by_looking(tmp_path: Path) -> None:
    found(tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".checkup")]
