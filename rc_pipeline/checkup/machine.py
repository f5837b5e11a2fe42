"""The machine: Python, packages, memory, GPU, and the programs that are used where they are there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rc_pipeline.checkup.findings import Finding, ok, problem, warning
from rc_pipeline.lake.code import PROJECT

OLDEST_PYTHON = (3, 11)
SECONDS_FOR_TORCH = 120
SMALL_MEMORY = 4 * 2**30
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
# In a process of its own: a check-up is light, and a broken driver may end the process that asks it.
ASK_TORCH = """
import json, torch
found = {"version": torch.__version__, "built_for": torch.version.cuda, "gpus": []}
if torch.cuda.is_available():
    for i in range(torch.cuda.device_count()):
        free, whole = torch.cuda.mem_get_info(i)
        found["gpus"].append({"name": torch.cuda.get_device_name(i), "free": free, "whole": whole})
    found["bf16"] = torch.cuda.is_bf16_supported()
print(json.dumps(found))
"""


def machine() -> Iterator[Finding]:
    """Yield what is found of the machine."""
    yield _python()
    yield _packages(PROJECT / "constraints.txt")
    yield _memory()
    yield from _gpus(shutil.which("nvidia-smi") is not None)
    yield _tex()


def _python() -> Finding:
    shown = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return problem("python", shown, "install Python 3.11 or newer, delete .venv, and run make setup")
    return ok("python", f"{shown}, {sys.executable}")


def _packages(constraints: Path) -> Finding:
    """Compare what is installed with what was tested."""
    if not constraints.is_file():
        return warning("packages", f"{constraints} is gone", "restore it from the repository")
    lines = [line.split("#")[0].strip() for line in constraints.read_text(encoding="utf-8").splitlines()]
    pinned = dict(line.split("==", 1) for line in lines if "==" in line)
    other, installed = [], 0
    for name, tested in sorted(pinned.items()):
        try:
            there = version(name)
        except PackageNotFoundError:
            continue
        installed += 1
        # A build for a GPU has its CUDA version behind a plus.
        if there.partition("+")[0] != tested.partition("+")[0]:
            other.append(f"{name} {there} (tested: {tested})")
    if other:
        return warning("packages", ", ".join(other), "run make setup, or pip install -c constraints.txt -e .")
    return ok("packages", f"{installed} as tested")


def _memory() -> Finding:
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = CGROUP_LIMIT.read_text(encoding="utf-8").strip() if CGROUP_LIMIT.is_file() else ""
    usable = min(whole, int(limit)) if limit.isdigit() else whole
    says = f"{usable / 2**30:.1f} GiB, {len(os.sched_getaffinity(0))} cores"
    if usable < SMALL_MEMORY:
        return warning("memory", says, "enough for the demo; give this machine or container more for real models")
    return ok("memory", says)


def _gpus(driver: bool) -> Iterator[Finding]:
    try:
        told = subprocess.run(
            [sys.executable, "-c", ASK_TORCH], capture_output=True, text=True, timeout=SECONDS_FOR_TORCH, check=False
        )
        found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1]) if told.returncode == 0 else {}
    except (subprocess.TimeoutExpired, IndexError, ValueError):
        found, told = {}, None
    if not found:
        last = told.stderr.strip().splitlines()[-1:] if told else [f"no answer in {SECONDS_FOR_TORCH} s"]
        yield problem("torch", " ".join(last) or "cannot be imported", "run make setup")
        return
    built = f"torch {found['version']}"
    if not found["gpus"]:
        if driver:
            remedy = (
                "install the build of torch for this driver (pytorch.org), then look at nvidia-smi"
                if found["built_for"] is None
                else f"torch is built for CUDA {found['built_for']}: update the driver, or look at nvidia-smi"
            )
            yield problem("gpu", f"there is a driver, and {built} sees no GPU", remedy)
        else:
            yield warning("gpu", f"none; {built}", "the demo needs none; models of billions of weights do")
        return
    for gpu in found["gpus"]:
        yield ok("gpu", f"{gpu['name']}, {gpu['free'] / 2**30:.1f} of {gpu['whole'] / 2**30:.1f} GiB free; {built}")
    if not found["bf16"]:
        yield warning("bf16", "this GPU has no bfloat16", "set tune.precision: fp32 in your runs")


def _tex() -> Finding:
    found = next((name for name in ("tectonic", "latexmk") if shutil.which(name)), None)
    if found is None:
        return warning("tex", "neither tectonic nor latexmk", "only a report's PDF needs one; HTML and Markdown do not")
    return ok("tex", found)
