"""Heavy work as a process of its own: `python -m rc_pipeline.training SPEC.json`.

The device's memory is free again when it ends, and a crash of it is a failed step, not a dead run.
It needs no Dagster: under a run it reports through Dagster Pipes, alone it writes to the terminal.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from rc_pipeline.lake.code import code_hashes
from rc_pipeline.lake.outcome import JSON, Outcome

OUTCOME_FILE = "_outcome.json"
ERROR_FILE = "_error.txt"
# The variable by which a run hands its terminal down, as the number of an open file.
TERMINAL = "RC_TERMINAL"
SECONDS_BETWEEN_LINES = 5.0
PR_SET_PDEATHSIG = 1


class Progress:
    """Says how far the work is: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, title: str, say: Callable[[str], None] | None = None, terminal: TextIO | None = None) -> None:
        self.title = title
        self._say = say
        self._started = time.monotonic()
        self._last_line = 0.0
        self._terminal = terminal or (sys.stderr if say is None and sys.stderr.isatty() else None)

    def __call__(self, done: int, total: int, **figures: float) -> None:
        """Report `done` of `total` with figures such as loss or rows a second."""
        now = time.monotonic()
        finished = done >= total
        if not finished and now - self._last_line < (SECONDS_BETWEEN_LINES if self._terminal is None else 0.2):
            return
        self._last_line = now
        seconds = now - self._started
        left = seconds / done * (total - done) if done else 0.0
        shown = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        line = f"{self.title}  {done}/{total}  {shown}  {seconds:.0f}s, {left:.0f}s left"
        if self._terminal is not None:
            filled = 24 * done // max(total, 1)
            bar = f"\r\x1b[2K[{'█' * filled}{'·' * (24 - filled)}] {line}"
            self._terminal.write(bar + ("\n" if finished else ""))
            self._terminal.flush()
        else:
            self.note(line)

    def note(self, text: str) -> None:
        """Say one line."""
        if self._say is not None:
            self._say(text)
        else:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


def die_with_parent(parent: int | None) -> None:
    """Ask the kernel to kill this process when its parent is gone, kill -9 included."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        # The parent died before the request was in place.
        os._exit(1)


def main(title: str, work: Callable[[dict[str, Any], Progress], Outcome], argv: list[str] | None = None) -> int:
    """Run `work` on the spec file named on the command line and write its outcome beside its files."""
    arguments = sys.argv[1:] if argv is None else argv
    if len(arguments) != 1:
        sys.stderr.write(f"usage: python -m rc_pipeline.{title} SPEC.json\n")
        return 2
    die_with_parent(int(os.environ["RC_PARENT"]) if "RC_PARENT" in os.environ else None)
    spec: dict[str, Any] = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    out = Path(spec["out"])
    try:
        require_code(title, spec.get("code"))
        if "DAGSTER_PIPES_CONTEXT" in os.environ:
            from dagster_pipes import open_dagster_pipes

            with open_dagster_pipes() as pipes:
                outcome = work(spec, Progress(title, pipes.log.info, _terminal_of_the_run()))
        else:
            outcome = work(spec, Progress(title))
    except Exception as error:
        explains_itself = type(error).__module__.startswith("rc_pipeline.")
        text = str(error) if explains_itself else f"{type(error).__name__}: {error}"
        (out / ERROR_FILE).write_text(text, encoding="utf-8")
        if explains_itself:
            return 1
        raise
    write_outcome(out, outcome)
    return 0


def _terminal_of_the_run() -> TextIO | None:
    """Return the terminal that the run handed down: its own output is caught by Dagster before it gets there."""
    handed = os.environ.get(TERMINAL)
    return None if handed is None else os.fdopen(int(handed), "w", encoding="utf-8")


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
    (folder / OUTCOME_FILE).write_text(json.dumps(data, ensure_ascii=False, sort_keys=True), encoding="utf-8")


def read_outcome(folder: Path) -> Outcome:
    """Take the outcome that a worker left in its folder."""
    path = folder / OUTCOME_FILE
    outcome = Outcome.from_json(json.loads(path.read_text(encoding="utf-8")))
    path.unlink()
    return outcome


def read_error(folder: Path) -> str:
    """Return what a worker that failed said of the reason, if it could."""
    try:
        return (folder / ERROR_FILE).read_text(encoding="utf-8")
    except OSError:
        return ""
