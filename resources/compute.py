"""Heavy work in a process of its own, which dies with the run that started it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import dagster as dg
from pydantic import Field

from rc_pipeline.lake.outcome import JSON, Outcome
from rc_pipeline.worker import HEARTBEAT, PARENT, SILENCE, TERMINAL, in_this_process, read_error, read_outcome

Task = Literal["training", "prediction", "merging"]
# What splits its work among several processes.
IN_PARALLEL: frozenset[Task] = frozenset({"training", "prediction"})
SECONDS_TO_STOP = 2.0
DEVICES = Path("/dev")


class WorkerFailed(RuntimeError):
    """The work itself failed: starting it again would fail the same way."""


class WorkerKilled(RuntimeError):
    """The process was killed from outside: starting it again goes on where it was."""


class WorkerHung(WorkerKilled):
    """The process gave no sign of life and was ended: starting it again goes on where it was."""


class Compute(dg.ConfigurableResource[None]):
    """Runs a task as `python -m rc_pipeline.<task> SPEC`, in a process a GPU, and hands back its outcome."""

    processes: int | None = Field(
        default=None, ge=1, description="processes of a training or prediction; one a visible GPU when left out"
    )
    sharded: bool | None = Field(
        default=None,
        description="spread a model over the processes; when left out, if one GPU cannot hold it in training",
    )
    minutes_without_progress: float = Field(
        default=30, gt=0, description="a process is ended, and started once more, when it is silent for so long"
    )

    def run(self, context: dg.AssetExecutionContext, task: Task, spec: Mapping[str, JSON]) -> Outcome:
        """Run a task to its end; stop its whole process group when this run is interrupted."""
        out = Path(str(spec["out"]))
        with tempfile.TemporaryDirectory(prefix="rc_pipeline_") as folder, _device(context):
            spec_file = Path(folder) / f"{task}.json"
            whole = {**spec, "sharded": self.sharded} if task == "training" else spec
            spec_file.write_text(json.dumps(whole, ensure_ascii=False, indent=1), encoding="utf-8")
            # Dagster warns of its own use of a preview function here.
            warnings.simplefilter("ignore", dg.PreviewWarning)
            with dg.open_pipes_session(
                context=context,
                context_injector=dg.PipesTempFileContextInjector(),
                message_reader=dg.PipesTempFileMessageReader(),
            ) as session:
                code = _supervise(
                    self._command(task, spec_file),
                    {**os.environ, **session.get_bootstrap_env_vars(), PARENT: str(os.getpid())},
                    heartbeat=Path(folder) / "heartbeat",
                    patience=60 * self.minutes_without_progress,
                )
            failure = read_error(out, Path(folder)) if code > 0 else ""
        if code < 0:
            raise WorkerKilled(
                f"{task} was killed by {signal.Signals(-code).name}. If nobody did that on purpose, the machine "
                "most likely ran out of memory: lower tune.batch_size or tune.max_tokens of the run."
            )
        if code:
            raise WorkerFailed(failure or f"{task} ended with exit code {code}; its last lines are above")
        return read_outcome(out)

    def _command(self, task: Task, spec_file: Path) -> list[str]:
        processes = (self.processes or max(1, _visible_gpus())) if task in IN_PARALLEL else 1
        module = f"rc_pipeline.{task}"
        several = ["rc_pipeline.torchrun", str(processes)] if processes > 1 else []
        return [sys.executable, "-m", *several, module, str(spec_file)]


class InlineCompute(Compute):
    """Runs the same work inside this process: for debuggers, and for tests that start hundreds of tasks."""

    def run(self, context: dg.AssetExecutionContext, task: Task, spec: Mapping[str, JSON]) -> Outcome:
        """Call the task's function on the spec, as its process would read it."""
        return in_this_process(task, spec, context.log.info)


def _supervise(command: list[str], environment: dict[str, str], *, heartbeat: Path, patience: float) -> int:
    """Run a command in a process group of its own and return its exit code; leave nothing of it behind.

    It is ended when the file `heartbeat` stays as it is for longer than the seconds of `patience`.
    """
    with _terminal() as terminal:
        handed = {HEARTBEAT: str(heartbeat), SILENCE: str(patience)}
        if terminal is not None:
            handed[TERMINAL] = str(terminal)
        process = subprocess.Popen(
            command,
            env=environment | handed,
            start_new_session=True,
            pass_fds=[] if terminal is None else [terminal],
        )
        try:
            return _watched(process, heartbeat, patience)
        finally:
            _stop(process)


def _watched(process: subprocess.Popen[bytes], heartbeat: Path, patience: float) -> int:
    """Return the exit code of a process that gives signs of life until its end."""
    seen, since = 0, time.monotonic()
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(min(1.0, patience / 4))
        beat = heartbeat.stat().st_mtime_ns if heartbeat.exists() else 0
        if beat != seen:
            seen, since = beat, time.monotonic()
        elif time.monotonic() - since > patience:
            said = heartbeat.read_text(encoding="utf-8") if seen else ""
            raise WorkerHung(
                f"no progress for {patience / 60:g} minutes, so the process was ended; above is where it stood, and "
                f"the last it said was: {said or 'nothing'}. Started again, it goes on after what it had kept. If that "
                "was slow and not stuck, raise minutes_without_progress of the resource `compute` in the run's config."
            )


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


def _visible_gpus() -> int:
    """Return how many GPUs PyTorch would see, without loading it."""
    there, visible = len(list(DEVICES.glob("nvidia[0-9]*"))), os.environ.get("CUDA_VISIBLE_DEVICES")
    if not there or visible is None:
        return there
    named = [each.strip() for each in visible.split(",")]
    # CUDA stops at the first that is none.
    return next((at for at, each in enumerate(named) if each in {"", "-1"}), len(named))


@contextmanager
def _device(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Hold the GPU alone, where there is one.

    A lock of the kernel's: a pool slot of Dagster's would stay taken after kill -9.
    """
    if not any(DEVICES.glob("nvidia[0-9]*")):
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
