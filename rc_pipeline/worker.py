"""Heavy work as a process of its own: `python -m rc_pipeline.training SPEC.json`.

The device's memory is free again when it ends, and a crash of it is a failed step, not a dead run.
It needs no Dagster: under a run it reports through Dagster Pipes, alone it writes to the terminal.
Under `torchrun` it is one of several such processes, of which the first reports and leaves the outcome.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from rc_pipeline.lake.code import code_hashes
from rc_pipeline.lake.outcome import JSON, Outcome

OUTCOME_FILE = "_outcome.json"
ERROR_FILE = "_error.txt"
# The variable that names the process without which there is nobody to work for.
PARENT = "RC_PARENT"
# The variable by which a run hands its terminal down, as the number of an open file or as a path.
TERMINAL = "RC_TERMINAL"
# The file that a run watches for progress, and the seconds without any after which it ends the process.
HEARTBEAT, SILENCE = "RC_HEARTBEAT", "RC_SECONDS_WITHOUT_PROGRESS"
SECONDS_BETWEEN_BEATS = 1.0
SECONDS_BETWEEN_LINES = 5.0
PR_SET_PDEATHSIG = 1
# The function that each kind of heavy work is.
WORK = {"training": "train", "prediction": "predict", "merging": "merge"}
SHOWN_AS = {"tokens_per_second": "{:,.0f} tokens/s", "gigabytes": "{:.1f} GB"}


def rank() -> int:
    """Return the number of this process among those that `torchrun` has started."""
    return int(os.environ.get("RANK", "0"))


def processes() -> int:
    """Return how many processes `torchrun` has started for this work, one without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


class Heartbeat:
    """Tells the run that this process gets on; after a long silence, shows where it stands, before the run ends it."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, said: str | None = None) -> None:
        """Give a sign of life, with what there is to say."""
        file, now = os.environ.get(HEARTBEAT), time.monotonic()
        if file is None or (said is None and now - self._last < SECONDS_BETWEEN_BEATS):
            return
        self._last = now
        with suppress(OSError):
            if said is None:
                Path(file).touch()
            else:
                Path(file).write_text(said, encoding="utf-8")
        if SILENCE in os.environ:
            faulthandler.dump_traceback_later(0.9 * float(os.environ[SILENCE]), exit=False)


beat = Heartbeat()


class Progress:
    """Says how far the work is: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, title: str, say: Callable[[str], None] | None = None, terminal: TextIO | None = None) -> None:
        self.title = title
        self._say = say
        self._started = time.monotonic()
        self._first: tuple[int, float] | None = None
        self._last_line = 0.0
        self._terminal = terminal or (sys.stderr if say is None and sys.stderr.isatty() else None)

    def __call__(self, done: int, total: int, **figures: float) -> None:
        """Report `done` of `total` with figures such as loss or rows a second."""
        beat()
        now = time.monotonic()
        # Getting ready, and what an earlier process did, say nothing of the speed.
        first_done, first_at = self._first = self._first or (done, now)
        finished = done >= total
        if not finished and now - self._last_line < (SECONDS_BETWEEN_LINES if self._terminal is None else 0.2):
            return
        self._last_line = now
        times = f"{now - self._started:.0f} s"
        if done > first_done and not finished:
            times += f", {(now - first_at) / (done - first_done) * (total - done):.0f} s left"
        shown = [SHOWN_AS.get(name, f"{name} {{:.4g}}").format(value) for name, value in figures.items()]
        line = "  ".join([self.title, f"{done}/{total}", *shown, times])
        if self._terminal is not None:
            beat(line)
            filled = 24 * done // max(total, 1)
            bar = f"\r\x1b[2K[{'█' * filled}{'·' * (24 - filled)}] {line}"
            self._terminal.write(bar + ("\n" if finished else ""))
            self._terminal.flush()
        else:
            self.note(line)

    def note(self, text: str) -> None:
        """Say one line."""
        beat(text)
        if self._say is not None:
            self._say(text)
        else:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


def in_this_process(task: str, spec: Mapping[str, JSON], say: Callable[[str], None]) -> Outcome:
    """Do heavy work without a process of its own, on the spec as its process would read it."""
    work = getattr(import_module(f"rc_pipeline.{task}.run"), WORK[task])
    outcome: Outcome = work(json.loads(json.dumps(spec)), Progress(task, say))
    return outcome


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent is gone, kill -9 included."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.environ.get(PARENT, str(os.getppid())) != str(os.getppid()):
        # The parent died before the request was in place.
        os._exit(1)


def main(title: str, work: Callable[[dict[str, Any], Progress], Outcome], argv: list[str] | None = None) -> int:
    """Run `work` on the spec file named on the command line and write its outcome beside its files."""
    arguments = sys.argv[1:] if argv is None else argv
    if len(arguments) != 1:
        sys.stderr.write(f"usage: python -m rc_pipeline.{title} SPEC.json\n")
        return 2
    die_with_parent()
    spec_file = Path(arguments[0])
    spec: dict[str, Any] = json.loads(spec_file.read_text(encoding="utf-8"))
    out = Path(spec["out"])
    if rank() == 0:
        (out / ERROR_FILE).unlink(missing_ok=True)
    beat()
    try:
        require_code(title, spec.get("code"))
        outcome = _reporting(title, lambda progress: work(spec, progress))
        if rank() == 0:
            write_outcome(out, outcome)
    except Exception as error:
        explains_itself = type(error).__module__.startswith("rc_pipeline.")
        write_error([out, spec_file.parent], str(error) if explains_itself else f"{type(error).__name__}: {error}")
        if explains_itself:
            return 1
        raise
    finally:
        faulthandler.cancel_dump_traceback_later()
    return 0


def _reporting(title: str, work: Callable[[Progress], Outcome]) -> Outcome:
    """Work, reporting to whoever started this process."""
    if rank() > 0:
        return work(Progress(title, lambda _: None))
    if "DAGSTER_PIPES_CONTEXT" not in os.environ:
        return work(Progress(title))
    from dagster_pipes import open_dagster_pipes

    with open_dagster_pipes() as pipes:
        return work(Progress(title, pipes.log.info, _terminal_of_the_run()))


def _terminal_of_the_run() -> TextIO | None:
    """Return the terminal that the run handed down: its own output is caught by Dagster before it gets there."""
    handed = os.environ.get(TERMINAL, "")
    with suppress(OSError):
        if handed.isdigit():
            return os.fdopen(int(handed), "w", encoding="utf-8")
        if handed:
            return os.fdopen(os.open(handed, os.O_WRONLY | os.O_NOCTTY), "w", encoding="utf-8")
    return None


class CodeChanged(RuntimeError):
    """The code is no longer what it was when the run decided what to build."""


def require_code(title: str, expected: dict[str, str] | None) -> None:
    """Load the task and refuse to work when its code is not what the fingerprint says."""
    import_module(f"rc_pipeline.{title}.run")
    if expected is None:
        return
    now = code_hashes(sorted(name.removesuffix(".py").replace("/", ".") for name in expected))
    changed = sorted(name for name in expected if now.get(name) != expected[name])
    if changed:
        raise CodeChanged(f"{', '.join(changed)}: edited after the run had started. Start it again.")


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Leave the outcome where the parent process looks for it."""
    data: JSON = outcome.to_json()
    (folder / OUTCOME_FILE).write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


def read_outcome(folder: Path) -> Outcome:
    """Take the outcome that a worker left in its folder."""
    path = folder / OUTCOME_FILE
    outcome = Outcome.from_json(json.loads(path.read_text(encoding="utf-8")))
    path.unlink()
    return outcome


def write_error(folders: list[Path], text: str) -> None:
    """Leave the reason in the first of some folders that takes it: the disk of an output may be full.

    Of several processes the first one that fails knows why; the others fail because it is gone.
    """
    for folder in folders:
        with suppress(OSError):
            file = os.open(folder / ERROR_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            with os.fdopen(file, "w", encoding="utf-8") as opened:
                opened.write(text)
            return


def read_error(*folders: Path) -> str:
    """Return what a worker that failed said of the reason, if it could."""
    for folder in folders:
        with suppress(OSError):
            text = (folder / ERROR_FILE).read_text(encoding="utf-8")
            if text:
                return text
    return ""
