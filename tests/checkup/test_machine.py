from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from rc_pipeline.checkup import machine as looked_at


def test_a_package_of_another_version_is_told_with_the_tested_one(tmp_path: Path) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("duckdb==0.0.1\nnot-installed-at-all==1.0\n# a comment\n")
    said = looked_at._packages(constraints)
    assert said.state == "warning"
    assert f"duckdb {version('duckdb')} (tested: 0.0.1)" in said.says
    assert "not-installed" not in said.says


def test_what_is_pinned_is_what_is_installed() -> None:
    assert looked_at._packages(looked_at.PROJECT / "constraints.txt").state == "ok"


def test_a_driver_beside_a_torch_that_sees_no_gpu_is_a_problem() -> None:
    states = {one.subject: one.state for one in looked_at._gpus(driver=True)}
    assert states.get("gpu") in {"problem", "ok"}
    assert {one.state for one in looked_at._gpus(driver=False) if one.subject == "gpu"} <= {"warning", "ok"}


def test_a_torch_that_cannot_be_imported_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looked_at, "ASK_TORCH", "raise ImportError('libcudart.so is gone')")
    (said,) = looked_at._gpus(driver=False)
    assert said.state == "problem"
    assert "libcudart.so is gone" in said.says


def test_the_whole_look_needs_no_torch_in_this_process() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from rc_pipeline.checkup.machine import machine; list(machine()); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
