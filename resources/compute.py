"""Heavy work in a process of its own, which dies with the run that started it."""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import dagster as dg

from rc_pipeline.lake.outcome import JSON, Outcome
from rc_pipeline.worker import TERMINAL, Progress, read_error, read_outcome

Task = Literal["training", "prediction"]
WORK: dict[Task, str] = {"training": "train", "prediction": "predict"}
SECONDS_TO_STOP = 2.0


class WorkerFailed(RuntimeError):
    """The work itself failed: starting it again would fail the same way."""


class WorkerKilled(RuntimeError):
    """The process was killed from outside: starting it again goes on where it was."""


class Compute:
    """Runs a task as `python -m rc_pipeline.<task> SPEC`, and hands back its outcome."""

    def run(self, context: dg.AssetExecutionContext, task: Task, spec: Mapping[str, JSON]) -> Outcome:
        """Run a task to its end; stop its whole process group when this run is interrupted."""
        out = Path(str(spec["out"]))
        with tempfile.TemporaryDirectory(prefix="rc_pipeline_") as folder, _device(context):
            spec_file = Path(folder) / f"{task}.json"
            spec_file.write_text(json.dumps(spec, ensure_ascii=False, indent=1), encoding="utf-8")
            # Dagster warns of its own use of a preview function here.
            warnings.simplefilter("ignore", dg.PreviewWarning)
            with dg.open_pipes_session(
                context=context,
                context_injector=dg.PipesTempFileContextInjector(),
                message_reader=dg.PipesTempFileMessageReader(),
            ) as session:
                code = _supervise(
                    [sys.executable, "-m", f"rc_pipeline.{task}", str(spec_file)],
                    {**os.environ, **session.get_bootstrap_env_vars(), "RC_PARENT": str(os.getpid())},
                )
        if code < 0:
            raise WorkerKilled(
                f"{task} was killed by {signal.Signals(-code).name}. If nobody did that on purpose, the machine "
                "most likely ran out of memory: lower tune.batch_size or tune.max_tokens of the run."
            )
        if code:
            raise WorkerFailed(read_error(out) or f"{task} ended with exit code {code}; its last lines are above")
        return read_outcome(out)


class InlineCompute(Compute):
    """Runs the same work inside this process: for debuggers, and for tests that start hundreds of tasks."""

    def run(self, context: dg.AssetExecutionContext, task: Task, spec: Mapping[str, JSON]) -> Outcome:
        """Call the task's function on the spec, as its process would read it."""
        work = getattr(importlib.import_module(f"rc_pipeline.{task}.run"), WORK[task])
        outcome: Outcome = work(json.loads(json.dumps(spec)), Progress(task, context.log.info))
        return outcome


def _supervise(command: list[str], environment: dict[str, str]) -> int:
    """Run a command in a process group of its own and return its exit code; leave nothing of it behind."""
    with _terminal() as terminal:
        handed = {} if terminal is None else {TERMINAL: str(terminal)}
        process = subprocess.Popen(
            command,
            env=environment | handed,
            start_new_session=True,
            pass_fds=[] if terminal is None else [terminal],
        )
        try:
            return process.wait()
        finally:
            _stop(process)


@contextmanager
def _terminal() -> Iterator[int | None]:
    """Open the terminal that `dagster job execute` was typed into, if it was: progress bars go there."""
    terminal = None
    if sys.argv[1:3] == ["job", "execute"] and sys.stdin.isatty():
        with suppress(OSError):
            terminal = os.open("/dev/tty", os.O_WRONLY | os.O_NOCTTY)
    try:
        yield terminal
    finally:
        if terminal is not None:
            os.close(terminal)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end if it has not, then make sure that nothing of its group is left."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_STOP)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def _device(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Hold the GPU alone, where there is one.

    A lock of the kernel's: a pool slot of Dagster's would stay taken after kill -9.
    """
    if not any(Path("/dev").glob("nvidia[0-9]*")):
        yield
        return
    lock = Path(tempfile.gettempdir()) / f"rc_pipeline_gpu_{os.getuid()}.lock"
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            context.log.info("another run holds the GPU; waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
