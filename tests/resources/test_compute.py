"""Heavy work in a process of its own: its errors, its silence, its death, and that of its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rc_pipeline.lake.code import PROJECT
from rc_pipeline.worker import ERROR_FILE, read_error, write_error
from resources.compute import Compute, WorkerHung, WorkerKilled, _supervise, _visible_gpus

SLEEPER = "import time, pathlib, os; pathlib.Path({file!r}).write_text(str(os.getpid())); time.sleep(60)"


def supervise(code: str, folder: Path, patience: float = 60.0) -> int:
    command = [sys.executable, "-c", code]
    return _supervise(command, {**os.environ, "PYTHONPATH": str(PROJECT)}, heartbeat=folder / "beat", patience=patience)


def test_a_process_that_hangs_is_ended_and_the_message_says_where_it_stood(tmp_path, capfd):
    code = (
        "import os, time; from rc_pipeline.worker import beat, Progress;"
        "Progress('training', lambda _: None).note('12 steps done');"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    )
    started = time.monotonic()

    with pytest.raises(WorkerHung, match=r"no progress for 0.05 minutes.*12 steps done.*goes on.*minutes_without_prog"):
        supervise(code, tmp_path, patience=3)

    assert time.monotonic() - started < 20
    assert not alive(int((tmp_path / "pid").read_text()))
    # The stack of the process, on the terminal of the run.
    assert 'File "<string>", line 1 in <module>' in capfd.readouterr().err


def test_a_process_that_is_stopped_counts_as_silent(tmp_path):
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"

    with pytest.raises(WorkerKilled, match="the last it said was: nothing"):
        supervise(code, tmp_path, patience=1)


def test_a_slow_process_that_gets_on_is_left_alone(tmp_path):
    code = (
        "import time; from rc_pipeline.worker import beat, SECONDS_BETWEEN_BEATS\n"
        "for _ in range(10): beat(); time.sleep(0.5)\n"
    )

    assert supervise(code, tmp_path, patience=3) == 0


def test_an_exit_code_comes_back(tmp_path):
    assert supervise("raise SystemExit(3)", tmp_path) == 3


def test_a_killed_process_is_told_by_its_signal(tmp_path):
    assert supervise("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", tmp_path) == -signal.SIGKILL


def test_an_interruption_stops_the_process_and_its_children(tmp_path):
    file = tmp_path / "grandchild"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEPER.format(file=str(file))!r}])"

    def interrupt(signum, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1.5)
        with pytest.raises(KeyboardInterrupt):
            supervise(code, tmp_path)
    finally:
        signal.signal(signal.SIGALRM, before)
    wait_for(lambda: not alive(int(file.read_text())))


def test_a_worker_dies_with_its_parent_even_by_kill_9(tmp_path):
    file = tmp_path / "worker"
    worker = "from rc_pipeline.worker import die_with_parent; die_with_parent();" + SLEEPER.format(file=str(file))
    parent = (
        "import os, subprocess, sys; os.environ['RC_PARENT'] = str(os.getpid());"
        f"subprocess.run([sys.executable, '-c', {worker!r}])"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], cwd=PROJECT)
    wait_for(lambda: file.exists() and file.read_text())
    process.kill()
    process.wait()
    wait_for(lambda: not alive(int(file.read_text())))


@pytest.mark.parametrize("module", ["training", "prediction"])
def test_a_spec_that_cannot_be_worked_on_leaves_its_reason(tmp_path, module):
    spec = tmp_path / "spec.json"
    spec.write_text(f'{{"out": "{tmp_path}"}}')
    done = subprocess.run(
        [sys.executable, "-m", f"rc_pipeline.{module}", str(spec)], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert read_error(tmp_path)


def test_the_reason_comes_through_where_the_disk_of_the_output_is_full(tmp_path, full_disk):
    write_error([full_disk, tmp_path], "No space left on device")

    assert read_error(full_disk, tmp_path) == "No space left on device"


def test_of_several_processes_the_first_to_fail_says_why(tmp_path):
    other = tmp_path / "other"
    other.mkdir()

    write_error([tmp_path, other], "the loss is nan")
    write_error([tmp_path, other], "connection closed by peer")

    assert read_error(tmp_path, other) == "the loss is nan"
    assert (tmp_path / ERROR_FILE).exists()


def test_there_are_as_many_processes_as_asked_for_or_as_gpus(tmp_path):
    spec = tmp_path / "spec.json"

    assert Compute()._command("merging", spec)[2:] == ["rc_pipeline.merging", str(spec)]
    assert Compute(processes=1)._command("training", spec)[2:] == ["rc_pipeline.training", str(spec)]
    two = ["rc_pipeline.torchrun", "2", "rc_pipeline.prediction", str(spec)]
    assert Compute(processes=2)._command("prediction", spec)[2:] == two
    assert "rc_pipeline.torchrun" not in Compute(processes=2)._command("merging", spec)


@pytest.mark.parametrize(
    ("visible", "count"), [(None, 4), ("", 0), ("-1", 0), ("1", 1), ("2,0", 2), ("0,-1,1", 1), ("GPU-8f2a,GPU-17c0", 2)]
)
def test_gpus_are_counted_as_cuda_does(tmp_path, monkeypatch, visible, count):
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidia3", "nvidiactl"):
        (tmp_path / name).touch()
    monkeypatch.setattr("resources.compute.DEVICES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert _visible_gpus() == count


def test_a_machine_without_a_gpu_has_none_whatever_is_visible(tmp_path, monkeypatch):
    monkeypatch.setattr("resources.compute.DEVICES", tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")

    assert _visible_gpus() == 0


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def wait_for(condition, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
