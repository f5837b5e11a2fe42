"""Runs that are killed, stopped, doubled and watched, as processes of their own on a real project."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from project_copy import ProjectCopy

from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.graph import Graph
from rc_pipeline.lake.upkeep import verify
from tests.pace import within

# Whole runs one after another, each many times as long on a busy machine.
pytestmark = pytest.mark.timeout(900)

KILLS = 6
READER = """
import sys, duckdb
reads = 0
while not open(sys.argv[2]).read():
    try:
        open(sys.argv[1]).close()
    except FileNotFoundError:
        continue
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{sys.argv[1]}' AS rc (READ_ONLY)")
        for view in ("lineage", "runs", "instructions", "predictions", "scores", "quarantine"):
            connection.execute(f"SELECT count(*) FROM rc.{view}").fetchall()
    reads += 1
print(reads)
"""


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    yield
    ProjectCopy.end_all()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], float, int]:
    """One whole run with a reader beside it: the contents it came to, its seconds, and how often it was read."""
    project = ProjectCopy.make(tmp_path_factory.mktemp("undisturbed"))
    stop = project.folder / "stop"
    stop.touch()
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(project.lake / "rc.duckdb"), str(stop)], text=True, stdout=subprocess.PIPE
    )
    started = time.monotonic()
    project.execute("demo")
    seconds = time.monotonic() - started
    stop.write_text("now")
    output, _ = reader.communicate(timeout=60)
    assert reader.returncode == 0
    return project.contents(), seconds, int(output)


def test_a_reader_of_the_warehouse_never_fails_through_a_whole_run(undisturbed):
    assert undisturbed[2] > 20


def test_runs_killed_at_random_moments_come_to_what_an_undisturbed_run_comes_to(undisturbed, tmp_path):
    expected, seconds, _ = undisturbed
    project = ProjectCopy.make(tmp_path / "project")
    moments = random.Random(20)
    for kill in range(KILLS):
        run = project.start("demo")
        time.sleep(moments.uniform(0.1, 0.7) * seconds)
        run.send_signal(signal.SIGKILL)
        run.communicate(timeout=30)
        _wait_until_alone(project)
        assert _damage(project) == []
        if kill == KILLS // 2:
            shutil.rmtree(project.lake)
    project.execute("demo")
    assert project.contents() == expected
    assert _damage(project) == []
    assert not list((project.lake / "tmp").iterdir())


def test_sigterm_ends_a_run_in_training_within_five_seconds(tmp_path):
    project = ProjectCopy.make(tmp_path / "project")
    study = project.folder / "catalog" / "studies" / "demo.yaml"
    project.replace(study, "epochs: 1\n", "epochs: 10000\n")
    run = project.start("demo")
    _wait_for(lambda: _trains(project), 240)
    with within(5, time.monotonic):
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=60)
    assert run.returncode != 0
    _wait_until_alone(project)
    assert _damage(project) == []


def test_two_runs_started_at_once_build_each_thing_once(undisturbed, tmp_path):
    project = ProjectCopy.make(tmp_path / "project")
    runs = [project.start("demo") for _ in range(2)]
    outputs = [run.communicate(timeout=600)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    built = [line.split(": built in")[0].split()[-1] for line in "".join(outputs).splitlines() if ": built in" in line]
    assert sorted(built) == sorted(undisturbed[0])
    assert project.contents() == undisturbed[0]


def _trains(project: ProjectCopy) -> bool:
    # What is found may be gone a moment later: `walk` takes no offence.
    return any(file.endswith(".safetensors") for *_, files in os.walk(project.lake / "scratch") for file in files)


def _damage(project: ProjectCopy) -> list[str]:
    return verify(Lake(project.lake, Graph([]))).problems if project.lake.exists() else []


def _wait_until_alone(project: ProjectCopy) -> None:
    _wait_for(lambda: not project.children(), 2)


def _wait_for(condition, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)
