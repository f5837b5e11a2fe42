"""The process that a rehearsal works in: one, so that all is imported once, and after a crash a new one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import IO, Any

from rc_pipeline.worker import PARENT

SECONDS_TO_STOP = 2.0
# On the CPU and off the network; of models as small as these, several threads are slower than one, and on a busy
# machine, where they spin while they wait for one another, many times so.
SETTINGS = {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
# A rehearsal does not belong into a user's records.
LEFT_OUT = ("MLFLOW_TRACKING_URI",)


class Failed(ValueError):
    """A piece of work that failed, by an error whose class is called `kind`; `explained` if it says what to do."""

    def __init__(self, says: str, kind: str, *, explained: bool) -> None:
        super().__init__(says)
        self.kind = kind
        self.explained = explained


class Killed(Failed):
    """A piece of work whose process did not outlive it."""

    def __init__(self, code: int) -> None:
        killed = f"its process was killed by {signal.Signals(-code).name}" if code < 0 else ""
        super().__init__(killed or f"its process ended with exit code {code}", "Killed", explained=True)


class Process:
    """`python -m rc_pipeline.rehearsing`: asked line by line, and gone with everything it started when this is left."""

    def __init__(self) -> None:
        self._process = _started()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        _stop(self._process)

    def ask(self, what: str, **told: Any) -> Any:
        """Return what comes of a piece of work; raises Failed, and Killed if its process is gone with it."""
        if self._process.poll() is not None:
            _stop(self._process)
            self._process = _started()
        questions, answers = _pipes(self._process)
        answer = ""
        with suppress(BrokenPipeError):
            questions.write(json.dumps({"what": what, "told": told}) + "\n")
            questions.flush()
            answer = answers.readline()
        if not answer:
            _stop(self._process)
            raise Killed(self._process.returncode)
        found: dict[str, Any] = json.loads(answer)
        if "failed" in found:
            raise Failed(**found["failed"])
        return found["done"]


def _started() -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    return subprocess.Popen(
        [sys.executable, "-m", "rc_pipeline.rehearsing"], env=environment | SETTINGS | {PARENT: str(os.getpid())},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", start_new_session=True,
    )  # fmt: skip


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    if process.stdin is None or process.stdout is None:
        raise AssertionError("started with both")  # pragma: no cover
    return process.stdin, process.stdout


def _stop(process: subprocess.Popen[str]) -> None:
    """Interrupt the process, which then ends what it has started, and leave nothing of its group."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_STOP)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in _pipes(process):
        with suppress(BrokenPipeError):
            pipe.close()
