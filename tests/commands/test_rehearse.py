"""`rc-pipeline rehearse` on a user's own study: faults that would cost GPU hours are told in the time of a coffee."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from rc_pipeline.commands import rehearse
from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lineage import load_lineage
from rc_pipeline.rehearsing.process import Process

STORIES = [
    (f"{name}把{thing}放进了{place}。后来下雨了，大家都回家了。", f"{name}把{thing}放在哪里？", place)
    for name in ("安娜", "小明", "老王", "李雷", "陈姨")
    for thing in ("钥匙", "雨伞", "书")
    for place in ("抽屉", "书包", "厨房")
]
Call = Callable[..., Result]


class Project:
    """A catalog with one study on the user's own table and the model that comes along."""

    def __init__(self, folder: Path) -> None:
        self.catalog = Path(shutil.copytree(PROJECT / "catalog", folder / "catalog"))
        for study in (self.catalog / "studies").iterdir():
            study.unlink()
        self.lake = folder / "lake"
        self.csv = self.lake / "inbox" / "my_data" / "train.csv"
        self.csv.parent.mkdir(parents=True)
        self.write_csv("编号,文章,问题,答案")
        self.study = {
            "title": "Mine",
            "train_on": {"my_data": "all"},
            "evaluate_on": ["my_data/valid"],
            "runs": {"mine": {"model": "rc_tiny", "tune": {"rank": 4}, "answer": {"max_new_tokens": 4}}},
        }

    def write_csv(self, header: str) -> None:
        rows = [f"{number},{','.join(story)}" for number, story in enumerate(STORIES)]
        self.csv.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")

    def write_study(self, **tune: Any) -> None:
        self.study["runs"]["mine"]["tune"] |= tune  # type: ignore[index]
        (self.catalog / "studies" / "mine.yaml").write_text(yaml.safe_dump(self.study))

    def files(self) -> set[str]:
        return {path.relative_to(self.lake).as_posix() for path in self.lake.rglob("*") if path.is_file()}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


class OneForAll(Process):
    """A process that goes from one rehearsal to the next, so that its imports are made once."""

    def __exit__(self, *_: object) -> None:
        """Stay."""


@pytest.fixture(scope="module")
def process() -> Iterator[OneForAll]:
    started = OneForAll()
    yield started
    Process.__exit__(started)


@pytest.fixture
def call(project: Project, process: OneForAll, monkeypatch: pytest.MonkeyPatch) -> Call:
    def opened() -> tuple[Any, Lake]:
        lineage = load_lineage(project.catalog, project.lake)
        return lineage, Lake(project.lake, lineage.graph)

    monkeypatch.setattr(rehearse, "open_lake", opened)
    monkeypatch.setattr("rc_pipeline.rehearsing.process.Process", lambda: process)
    monkeypatch.setenv("RC_LAKE", str(project.lake))

    def run(*arguments: str, code: int = 0, **tune: Any) -> Result:
        project.write_study(**tune)
        done = CliRunner().invoke(rehearse.rehearse, ["mine", "--rows", "8", *arguments])
        assert done.exit_code == code, done.output
        return done

    return run


def test_a_study_that_does_not_exist_is_answered_with_the_nearest(project: Project, call: Call) -> None:
    project.write_study()
    done = CliRunner().invoke(rehearse.rehearse, ["mime"])
    assert done.exit_code == 1
    assert "did you mean mine?" in done.output


def test_a_wrong_column_is_told_with_its_file_and_nothing_of_it_goes_on(project: Project, call: Call) -> None:
    project.write_csv("编号,短文,问题,答案")
    done = call(code=1)

    assert "PROBLEM  catalog/datasets/my_data.yaml  tables/my_data:" in done.output
    assert "there is no column 文章; the file has 编号, 短文, 问题, 答案" in done.output
    assert "others wait for it" in done.output
    assert "adapters/mine" not in done.output.split("PROBLEM")[0].replace("ahead   adapters/mine", "")
    assert "1 problems" in done.output


def test_a_prompt_without_room_for_its_answer_is_told_with_its_limit(call: Call) -> None:
    done = call(code=1, max_tokens=16)
    assert "PROBLEM  catalog/studies/mine.yaml  adapters/mine:" in done.output
    assert "fits in 16 tokens" in done.output


def test_a_file_that_is_missing_keeps_nothing_else_from_being_rehearsed(project: Project, call: Call) -> None:
    project.csv.unlink()
    done = call(code=1)

    assert f"source.files: not there: {project.csv}" in done.output
    assert "done    reports/mine" in done.output
    assert done.output.count("PROBLEM") == 1


def test_a_study_without_faults_ends_well_and_leaves_the_lake_as_it_was(project: Project, call: Call) -> None:
    before, environment = project.files(), dict(os.environ)
    done = call()

    assert "done    reports/mine" in done.output
    assert "mine: 0 problems" in done.output
    assert "dagster job execute -m rc_pipeline.definitions -j mine" in done.output
    assert {name for name in project.files() - before if not name.startswith("cache/hashes")} == {"rehearsal/mine.lock"}
    assert dict(os.environ) == environment | {"RC_LAKE": str(project.lake)}


def test_what_was_built_can_be_kept_to_be_looked_at(project: Project, call: Call) -> None:
    project.write_csv("编号,短文,问题,答案")
    done = call("--keep", code=1)
    kept = project.lake / "rehearsal" / "mine"

    assert f"kept: {kept}" in done.output
    assert (kept / "lake" / "heads" / "base_models" / "rc_tiny").is_dir()
    assert (kept / "catalog" / "studies" / "mine.yaml").is_file()
    assert not (project.lake / "heads").exists()


def test_a_crash_is_a_finding_and_what_does_not_need_it_goes_on(project: Project, call: Call) -> None:
    built = project.lake / "rehearsal" / "mine" / "lake" / "heads" / "instructions" / "my_data"
    killer = threading.Thread(target=_kill_after, args=(built,))
    killer.start()
    done = call(code=1)
    killer.join()

    assert done.output.count("PROBLEM") == 1
    assert "its process was killed by SIGKILL" in done.output and "memory most likely ran out" in done.output
    assert "FAILED  adapters/mine" in done.output and "others wait for it" in done.output
    assert "done    overlaps/my_data/my_data/valid" in done.output


def test_one_that_is_interrupted_ends_what_it_started_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = os.environ | {"RC_LAKE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "rc_pipeline.cli", "rehearse", "my_data"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            assert run.stdout is not None
            next(line for line in run.stdout if line.startswith("done"))
            (worker,) = _children(run.pid)
            run.send_signal(signal.SIGINT)
            said = run.communicate(timeout=30)[1]
        finally:
            run.kill()

    assert run.returncode == 1 and said.strip() == "Aborted!"
    assert not Path(f"/proc/{worker}").exists()
    assert not (tmp_path / "rehearsal" / "my_data").exists()


def _kill_after(built: Path) -> None:
    """Kill the process of a rehearsal once it has built something."""
    ends = time.monotonic() + 120
    while not built.exists() and time.monotonic() < ends:
        time.sleep(0.01)
    for worker in _children(os.getpid()):
        os.kill(worker, signal.SIGKILL)


def _children(parent: int) -> list[int]:
    """Return the processes that a rehearsal has started."""
    children = Path(f"/proc/{parent}/task").glob("*/children")
    found = [int(pid) for path in children for pid in path.read_text().split()]
    return [pid for pid in found if b"rc_pipeline.rehearsing" in Path(f"/proc/{pid}/cmdline").read_bytes()]
