"""Heavy work in a process of its own: its errors, its death, and that of its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rc_pipeline.lake.code import PROJECT
from rc_pipeline.worker import read_error
from resources.compute import _supervise

SLEEPER = "import time, pathlib, os; pathlib.Path({file!r}).write_text(str(os.getpid())); time.sleep(60)"


def test_an_exit_code_comes_back():
    assert _supervise([sys.executable, "-c", "raise SystemExit(3)"], dict(os.environ)) == 3


def test_a_killed_process_is_told_by_its_signal():
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert _supervise([sys.executable, "-c", code], dict(os.environ)) == -signal.SIGKILL


def test_an_interruption_stops_the_process_and_its_children(tmp_path):
    file = tmp_path / "grandchild"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEPER.format(file=str(file))!r}])"

    def interrupt(signum, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1.5)
        with pytest.raises(KeyboardInterrupt):
            _supervise([sys.executable, "-c", code], dict(os.environ))
    finally:
        signal.signal(signal.SIGALRM, before)
    _wait(lambda: not _alive(int(file.read_text())))


def test_a_worker_dies_with_its_parent_even_by_kill_9(tmp_path):
    file = tmp_path / "worker"
    worker = (
        "import os; from rc_pipeline.worker import die_with_parent; die_with_parent();"
        + SLEEPER.format(file=str(file))
    )
    parent = (
        "import os, subprocess, sys; os.environ['RC_PARENT'] = str(os.getpid());"
        f"subprocess.run([sys.executable, '-c', {worker!r}])"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], cwd=PROJECT)
    _wait(lambda: file.exists() and file.read_text())
    process.kill()
    process.wait()
    _wait(lambda: not _alive(int(file.read_text())))


@pytest.mark.parametrize("module", ["training", "prediction"])
def test_a_spec_that_cannot_be_worked_on_leaves_its_reason(tmp_path, module):
    spec = tmp_path / "spec.json"
    spec.write_text(f'{{"out": "{tmp_path}"}}')
    done = subprocess.run(
        [sys.executable, "-m", f"rc_pipeline.{module}", str(spec)], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert read_error(tmp_path)


def _alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def _wait(condition) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
