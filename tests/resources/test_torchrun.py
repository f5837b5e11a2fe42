"""Several processes of one task: they end together, in the way that tells why."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rc_pipeline.lake.code import PROJECT
from resources.compute import WorkerHung, _supervise
from tests.resources.test_compute import alive, wait_for

# Each process leaves its number; then the spec says what the second one does while the first one waits.
TASK = """
import os, pathlib, signal, sys, time
from rc_pipeline.worker import beat, die_with_parent, processes, rank
die_with_parent()
beat("started")
assert processes() == 2
spec = pathlib.Path(sys.argv[1])
(spec.parent / f"rank{rank()}").write_text(str(os.getpid()))
while len(list(spec.parent.glob("rank*"))) < 2:
    time.sleep(0.05)
exec(spec.read_text() if rank() == 1 else "time.sleep(60)")
"""


def command(folder: Path, second: str) -> list[str]:
    (folder / "task.py").write_text(TASK)
    (folder / "spec").write_text(second)
    return [sys.executable, "-m", "rc_pipeline.torchrun", "2", "task", str(folder / "spec")]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{folder}:{PROJECT}"}


def pids(folder: Path) -> list[int]:
    return [int((folder / f"rank{number}").read_text() or 0) for number in range(2)]


def none_left(folder: Path) -> bool:
    return not any(alive(pid) for pid in pids(folder))


@pytest.mark.parametrize(
    ("second", "code"),
    [
        ("raise SystemExit(3)", 3),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV),
    ],
)
def test_all_end_as_the_one_that_failed(tmp_path, second, code):
    ended = _supervise(command(tmp_path, second), environment(tmp_path), heartbeat=tmp_path / "beat", patience=60)

    assert ended == code
    assert none_left(tmp_path)


def test_all_are_ended_when_none_gives_a_sign_of_life(tmp_path):
    with pytest.raises(WorkerHung, match="the last it said was: started"):
        _supervise(command(tmp_path, "time.sleep(60)"), environment(tmp_path), heartbeat=tmp_path / "beat", patience=15)

    wait_for(lambda: none_left(tmp_path), seconds=5)


@pytest.mark.parametrize("cause", [signal.SIGTERM, signal.SIGKILL])
def test_all_die_with_their_launcher(tmp_path, cause):
    process = subprocess.Popen(command(tmp_path, "time.sleep(60)"), env=environment(tmp_path), start_new_session=True)
    wait_for(lambda: len(list(tmp_path.glob("rank*"))) == 2 and all(pids(tmp_path)), seconds=60)

    started = time.monotonic()
    process.send_signal(cause)

    assert process.wait(10) == -cause
    wait_for(lambda: none_left(tmp_path), seconds=5)
    assert time.monotonic() - started < 10


def test_all_die_with_the_run_that_started_them(tmp_path):
    parent = (
        "import os, subprocess, sys; os.environ['RC_PARENT'] = str(os.getpid());"
        f"subprocess.run({command(tmp_path, 'time.sleep(60)')!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], env=environment(tmp_path))
    wait_for(lambda: len(list(tmp_path.glob("rank*"))) == 2 and all(pids(tmp_path)), seconds=60)

    process.kill()
    process.wait()

    wait_for(lambda: none_left(tmp_path), seconds=5)
