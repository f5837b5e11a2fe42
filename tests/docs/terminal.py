"""A reader's own project, the demo built in it, in which commands of the pages are given for real."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from pages import Command

from rc_pipeline.cli import main
from rc_pipeline.commands import entry
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lineage import load_lineage
from tests.demo.small_study import SmallStudy

# What installs is CI's: `-o` takes the environment as it is, and no Python is looked for to make one with.
PRELUDE = 'set -euo pipefail; make() { command make -o .venv/.installed PYTHON=python "$@"; }\n'
# These look at the project's own folder, so they are given in the copy and not here.
IN_A_PROCESS = ("rc-pipeline new", "rc-pipeline doctor")
SECONDS = 280


@dataclass
class Terminal:
    """The root of a copy of the project, with a lake in which the demo stands."""

    folder: Path
    patch: pytest.MonkeyPatch

    @classmethod
    def open(cls, demo: SmallStudy, folder: Path, patch: pytest.MonkeyPatch) -> Terminal:
        """Copy the project with the demo's small catalog and its lake, and go there."""
        demo.copy(folder)
        (folder / "lake").rename(folder / "data_lake")
        for name in ("rc_pipeline", "assets", "resources", "benchmarks"):
            shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("Makefile", "workspace.yaml", "pyproject.toml", "constraints.txt"):
            shutil.copy(PROJECT / name, folder)
        shutil.copy(PROJECT / "catalog/studies/full_pipeline.yaml", folder / "catalog/studies")
        (folder / ".venv").symlink_to(sys.prefix)
        patch.chdir(folder)
        patch.setenv("RC_LAKE", str(folder / "data_lake"))
        patch.setenv("COLUMNS", "400")
        patch.setattr(entry, "load_lineage", partial(load_lineage, folder / "catalog"))
        return cls(folder, patch)

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        return {**os.environ, **own, "PYTHONWARNINGS": "ignore"}

    def write(self, file: str, text: str) -> None:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def give(self, text: str, code: int = 0) -> str:
        """Return what a command prints; it has to end with this exit code."""
        one = "\n" not in text.partition('"')[0]
        if one and text.startswith("rc-pipeline ") and not text.startswith(IN_A_PROCESS):
            done = CliRunner().invoke(main, Command(text).words[1:], input="What is a castle?\n")
            printed, ended = done.output, done.exit_code
        else:
            return self.process(text, code)
        assert ended == code, f"$ {text}\n{printed[-3000:]}"
        return printed

    def process(self, text: str, code: int = 0) -> str:
        """Return what a command prints that is given to a shell, with the code of the copy."""
        with subprocess.Popen(
            ["bash", "-c", PRELUDE + text], cwd=self.folder, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                printed, _ = process.communicate(timeout=SECONDS)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode == code, f"$ {text}\n{printed[-3000:]}"
        return printed


def each_way(usage: str) -> list[str]:
    """Write `[A]` with and without A, and `a|b` as either: every command that a line of usage stands for."""
    parts = re.split(r"\[([^\]]+)\]", usage)
    ways = [[part] if n % 2 == 0 else ["", part] for n, part in enumerate(parts)]
    lines = (re.sub(" +", " ", "".join(way)).strip() for way in itertools.product(*ways))
    return [" ".join(words) for line in lines for words in itertools.product(*(w.split("|") for w in line.split(" ")))]
