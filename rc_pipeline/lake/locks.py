"""Locks that the kernel releases when their holder dies, and workspaces that outlive nobody."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

POLL_SECONDS = 0.1


@contextmanager
def held(path: Path, on_wait: Callable[[], None] | None = None, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock at `path`, alone or with others that share it; call `on_wait` once when it has to wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while not _try_lock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX):
            if on_wait is not None:
                on_wait()
                on_wait = None
            time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def workspace(root: Path) -> Iterator[Path]:
    """Give an empty folder under `tmp/`, gone afterwards; what dead processes left there goes too."""
    tmp = root / "tmp"
    tmp.mkdir(parents=True, exist_ok=True)
    sweep(root)
    folder = tmp / uuid.uuid4().hex
    lock = folder.with_suffix(".lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        folder.mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def sweep(root: Path) -> list[Path]:
    """Delete workspaces whose owner is dead and return them."""
    swept = []
    for lock in sorted((root / "tmp").glob("*.lock")):
        with suppress(OSError):
            descriptor = os.open(lock, os.O_RDWR)
            try:
                folder = lock.with_suffix("")
                if _try_lock(descriptor) and (folder.exists() or _old(lock)):
                    shutil.rmtree(folder, ignore_errors=True)
                    lock.unlink(missing_ok=True)
                    swept.append(folder)
            finally:
                os.close(descriptor)
    return swept


def _try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _old(lock: Path) -> bool:
    # A lock file without a folder may belong to a workspace that is just being made.
    return time.time() - lock.stat().st_mtime > 60
