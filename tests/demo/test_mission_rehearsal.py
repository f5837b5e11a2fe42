"""The largest study of the mission, as shipped, rehearsed on files in their upstream layouts before its first run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rc_pipeline.lineage import load_lineage
from tests.demo.mission_files import write_inbox

STUDY = "full_pipeline"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_study_of_the_mission_is_rehearsed_as_it_is_shipped(tmp_path: Path) -> None:
    write_inbox(tmp_path / "inbox")
    before = _files(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "rc_pipeline.cli", "rehearse", STUDY, "--rows", "8"],
        env=os.environ | {"RC_LAKE": str(tmp_path)}, capture_output=True, text=True, timeout=540, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert f"{STUDY}: 0 problems" in done.stdout
    assert [line.split()[1] for line in lines if line.startswith("done ")] == load_lineage(lake=tmp_path).study(STUDY)
    # No weights are on a hub that nobody may ask, so nobody knows their size either.
    assert [line.split()[1] for line in lines if line.startswith("WARNING")] == [
        "catalog/models/vicuna_7b.yaml",
        "disk",
    ]
    assert _files(tmp_path) - before == {f"rehearsal/{STUDY}.lock"} and before <= _files(tmp_path)


def _files(lake: Path) -> set[str]:
    found = (path.relative_to(lake).as_posix() for path in lake.rglob("*") if path.is_file())
    return {name for name in found if not name.startswith("cache/hashes/")}
