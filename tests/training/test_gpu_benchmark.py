"""benchmarks/gpu_training.py with tiny models on a CPU: every line of it but those that ask a GPU."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

from rc_pipeline.lake.code import PROJECT

SCRIPT = str(PROJECT / "benchmarks" / "gpu_training.py")


def test_without_a_gpu_the_large_models_are_refused_in_one_line() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--models", "minicpm_2b"], capture_output=True, text=True)

    assert done.returncode == 1
    assert "There is no GPU here" in done.stderr
    assert "Traceback" not in done.stderr


def test_both_layouts_train_with_the_projects_own_trainer(tmp_path: Path) -> None:
    command = [sys.executable, SCRIPT, "--tiny", "--models", "minicpm_2b", "--methods", "qlora", "--steps", "5"]
    options = ["--batch", "4", "--json", str(tmp_path / "found.json")]
    done = subprocess.run([*command, *options], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert [each["layout"] for each in found] == ["padded", "packed"]
    for each in found:
        assert each["tokens_per_second"] > 0
        assert all(math.isfinite(loss) for loss in each["loss"])
    assert done.stdout.count("tokens/s") == 2
