"""A copy of the whole project with the demo made small, run as its users run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from small_study import copy_project

from rc_pipeline.lake.store import Store

BIN = Path(sys.executable).parent


@dataclass
class ProjectCopy:
    """The copy's folder; its lake and Dagster home lie inside."""

    folder: Path
    running: ClassVar[list[subprocess.Popen[str]]] = []

    @classmethod
    def make(cls, folder: Path) -> ProjectCopy:
        (folder / "dagster_home").mkdir(parents=True)
        (folder / "dagster_home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        project = cls(copy_project(folder))
        # As `make` does: two first runs at once would race for making Dagster's own tables.
        make_tables = "from dagster import DagsterInstance as I; i = I.get(); i.run_storage, i.event_log_storage"
        subprocess.run([sys.executable, "-c", make_tables], env=project.environment, check=True)
        return project

    @property
    def lake(self) -> Path:
        return self.folder / "data_lake"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(self.folder),
            "DAGSTER_HOME": str(self.folder / "dagster_home"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "ignore",
        }

    def start(self, job: str) -> subprocess.Popen[str]:
        """Start a job as `dagster job execute` does, from the project's root."""
        command = [str(BIN / "dagster"), "job", "execute", "-m", "rc_pipeline.definitions", "-j", job]
        run = subprocess.Popen(
            command, cwd=self.folder, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.running.append(run)
        return run

    @classmethod
    def end_all(cls) -> None:
        """End what a test that failed has left running; workers end with their run."""
        while cls.running:
            cls.running.pop().kill()

    def execute(self, job: str) -> str:
        """Run a job to success and return what it printed."""
        run = self.start(job)
        output, _ = run.communicate(timeout=600)
        assert run.returncode == 0, output
        return output

    def cli(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Call rc-pipeline as a user does."""
        command = [sys.executable, "-m", "rc_pipeline.cli", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def plan(self, study: str) -> dict[str, Any]:
        """Return what `rc-pipeline plan --json` prints."""
        plan: dict[str, Any] = json.loads(self.cli("plan", study, "--json").stdout)
        return plan

    def contents(self) -> dict[str, str]:
        """Return the content hash of every asset's latest artifact."""
        return {key: artifact.manifest.content for key, artifact in Store(self.lake).all_heads().items()}

    def built_by(self, action: Callable[[], object]) -> set[str]:
        """Return the keys under which new artifacts lie after an action."""
        before = {artifact.folder for artifact in Store(self.lake).all()}
        action()
        return {artifact.manifest.key for artifact in Store(self.lake).all() if artifact.folder not in before}

    def replace(self, path: Path, old: str, new: str) -> None:
        """Replace text in a file; the text must be there."""
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{path} does not say {old!r}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def children(self) -> list[str]:
        """Return the command lines of processes that work for this copy."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/environ"):
            try:
                if f"PYTHONPATH={self.folder}\0" in entry.read_text() and int(entry.parent.name) != os.getpid():
                    found.append((entry.parent / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
        return found
