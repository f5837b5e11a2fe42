"""What it costs to find that nothing has to be done: this project beside DVC, on the same graph.

    python benchmarks/nothing_to_do.py [--repeats 5]

Builds the demo if it is not built, installs DVC into an environment of its own, lays out a DVC
pipeline with one stage for every asset of the demo and the same dependencies, and lets both find
out, turn by turn, that everything stands. Prints medians and their ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lake.folder import lake_folder
from rc_pipeline.lineage import load_lineage

DVC = "dvc==3.67.1"
BIN = Path(sys.executable).parent
OURS = {
    "rc-pipeline plan demo": [str(BIN / "rc-pipeline"), "plan", "demo"],
    "dagster job execute -j demo": [
        str(BIN / "dagster"), "job", "execute", "-m", "rc_pipeline.definitions", "-j", "demo",
    ],
}  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    _run(OURS["dagster job execute -j demo"], PROJECT)
    with tempfile.TemporaryDirectory() as folder:
        peer = _dvc_project(Path(folder))
        commands = {**{name: (command, PROJECT) for name, command in OURS.items()}, "dvc repro": (peer, Path(folder))}
        for command, place in commands.values():
            _run(command, place)
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(repeats):
            for name, (command, place) in commands.items():
                seconds[name].append(_run(command, place))
    theirs = statistics.median(seconds["dvc repro"])
    for name, measured in seconds.items():
        median = statistics.median(measured)
        spread = f"{min(measured):.2f} to {max(measured):.2f}"
        print(f"{name:30} median {median:6.2f} s  ({spread})  {median / theirs:5.2f} x dvc repro")


def _dvc_project(folder: Path) -> list[str]:
    """Lay out the demo's graph as a DVC pipeline whose stages write a line each; return its command."""
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    _run([str(environment / "bin" / "pip"), "install", "--quiet", DVC], folder)
    lineage = load_lineage(lake=lake_folder())
    stages = {}
    for key in lineage.study("demo"):
        name = key.replace("/", "_")
        needs = sorted({need.key.replace("/", "_") for need in lineage.graph[key].needs.values()})
        stages[name] = {
            "cmd": f"echo {name} > {name}.txt",
            "deps": [f"{n}.txt" for n in needs],
            "outs": [f"{name}.txt"],
        }
    (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    dvc = str(environment / "bin" / "dvc")
    _run([dvc, "init", "--no-scm", "--quiet"], folder)
    return [dvc, "repro", "--quiet"]


def _run(command: list[str], place: Path) -> float:
    environment = {"DVC_NO_ANALYTICS": "1", **os.environ}
    started = time.perf_counter()
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return seconds


if __name__ == "__main__":
    main()
