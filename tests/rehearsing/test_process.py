"""The process that a rehearsal works in: its errors, its end, and what becomes of it when its parent is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rc_pipeline.rehearsing.process import Failed, Killed, Process

ASKING = """
import sys
from rc_pipeline.rehearsing.process import Process
with Process() as process:
    print(process._process.pid, flush=True)
    process.ask("tiny", out=sys.argv[1], family="gpt2", real=None, context_tokens=64)
    print("answered", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    with Process() as started:
        yield started


def _pid(process: Process) -> int:
    return process._process.pid


def _is_gone(pid: int) -> bool:
    ends = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < ends:
        time.sleep(0.05)
    return not Path(f"/proc/{pid}").exists()


def test_a_process_that_is_killed_takes_one_piece_of_work_along(process: Process, tmp_path: Path) -> None:
    first = _pid(process)
    threading.Timer(0.1, os.kill, (first, signal.SIGKILL)).start()
    with pytest.raises(Killed, match="its process was killed by SIGKILL"):
        process.ask("tiny", out=str(tmp_path / "a"), family="gpt2", real=None, context_tokens=64)

    told = process.ask("tiny", out=str(tmp_path / "b"), family="gpt2", real=None, context_tokens=64)
    assert told["weights"] > 0 and (tmp_path / "b" / "model.safetensors").is_file()
    assert _pid(process) != first


def test_one_that_died_between_two_pieces_of_work_costs_none(process: Process, tmp_path: Path) -> None:
    os.kill(_pid(process), signal.SIGKILL)
    process._process.wait()
    assert process.ask("tiny", out=str(tmp_path), family="gpt2", real=None, context_tokens=64)["weights"]


def test_an_error_comes_with_its_kind_and_whether_it_explains_itself(process: Process, tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"family 'none' cannot be loaded") as found:
        process.ask("tiny", out=str(tmp_path), family="none", real=None, context_tokens=64)
    assert found.value.kind == "ModelLoadError" and found.value.explained

    with pytest.raises(Failed) as found:
        process.ask("tiny", out=str(tmp_path), family=["gpt2"], real=None, context_tokens=64)
    assert found.value.kind == "TypeError" and not found.value.explained


def test_it_is_gone_when_it_is_left(tmp_path: Path) -> None:
    with Process() as process:
        started = _pid(process)
        assert Path(f"/proc/{started}").exists()
    assert not Path(f"/proc/{started}").exists()


def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ASKING, str(tmp_path / "tiny")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout is not None
            worker = int(parent.stdout.readline())
            assert parent.stdout.readline() == "answered\n"
        finally:
            parent.kill()
    assert _is_gone(worker)
