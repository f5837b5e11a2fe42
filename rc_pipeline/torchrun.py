"""One task in several processes: `python -m rc_pipeline.torchrun 2 rc_pipeline.training SPEC.json`.

PyTorch's own launcher does it; what it lacks is here: it dies with the run that started it, and ends the way that the
process which failed first did, so that the run can tell a mistake from a process that was killed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rc_pipeline.worker import PARENT, TERMINAL, die_with_parent

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure


def main(argv: list[str]) -> int:
    """Start so many processes of a module on one spec, and return the exit code of all."""
    count, module, spec = argv
    die_with_parent()
    os.environ[PARENT] = str(os.getpid())
    _hand_on_the_terminal()
    # Without a word, the launcher gives each process one thread, and says so at length.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(count))))
    # Processes of one machine have nothing to say to others; a host's own name may lead nowhere.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    options = ["--nproc-per-node", count, "--log-dir", str(Path(spec).parent)]
    try:
        run(parse_args(["--standalone", *options, "-m", module, spec]))  # type: ignore[no-untyped-call]
    except ChildFailedError as error:
        return _end_like(error.failures.values())
    except SignalException as error:
        return _die_of(error.sigval)
    return 0


def _hand_on_the_terminal() -> None:
    """Name the terminal by its path: the launcher hands no open files on."""
    if TERMINAL in os.environ:
        del os.environ[TERMINAL]
        with suppress(OSError):
            os.environ[TERMINAL] = os.ttyname(sys.stdin.fileno())


def _end_like(failures: Collection[ProcessFailure]) -> int:
    """End as the process did that was killed from outside, if one was: the others only fail because it is gone."""
    codes = [failure.exitcode for failure in sorted(failures, key=lambda failure: failure.timestamp)]
    killed = [code for code in codes if code < 0 and code != -signal.SIGTERM]
    return _die_of(signal.Signals(-killed[0])) if killed else max(codes[0], 1)


def _die_of(cause: signal.Signals) -> int:
    signal.signal(cause, signal.SIG_DFL) if cause != signal.SIGKILL else None
    os.kill(os.getpid(), cause)
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
