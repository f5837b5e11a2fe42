"""Writes that are whole or not there at all, and errors that say what to do when they cannot be."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP)


class LakeUnwritable(RuntimeError):
    """The lake's disk is full or does not let this user write."""


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that readers see the old bytes or the new ones, never a part."""
    with written_atomically(path) as file:
        file.write(data)


@contextmanager
def written_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write piece by piece; it takes its name, whole and on the disk, when nothing went wrong."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def link_atomically(link: Path, target: Path) -> None:
    """Point a symbolic link at `target` (relative to the link), replacing what it pointed at."""
    link.parent.mkdir(parents=True, exist_ok=True)
    temporary = link.with_name(f".{link.name}.{uuid.uuid4().hex}")
    temporary.symlink_to(os.path.relpath(target, link.parent))
    temporary.replace(link)


def sync_tree(folder: Path) -> None:
    """Flush every file and folder below `folder` to the disk."""
    for path in [*sorted(folder.rglob("*")), folder]:
        sync_folder(path)


def sync_folder(path: Path) -> None:
    """Flush one folder (or file) to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_or_copy(source: str, target: str) -> str:
    """Link a file, or copy it where the disk or its owner allows no link."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        shutil.copy2(source, target)
    return target


@contextmanager
def clear_disk_errors(root: Path) -> Iterator[None]:
    """Turn 'no space left' and 'read-only' into one sentence with the remedy."""
    try:
        yield
    except LakeUnwritable:
        raise
    except Exception as error:
        place, reason = getattr(error, "filename", None) or root, _disk_error(error)
        ours = Path(str(place)).is_relative_to(root)
        if reason in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(root).free / 2**20 if root.exists() else 0
            raise LakeUnwritable(
                f"{place}: the disk is full ({free:.0f} MiB free). Nothing half-written was kept. "
                "Free some space (`rc-pipeline gc` removes what no study needs), or set RC_LAKE to a larger disk."
            ) from error
        if reason == errno.EXDEV:
            raise LakeUnwritable(
                f"{place}: store/ and tmp/ lie on different disks, so nothing can appear whole. "
                "Keep the lake on one disk, and move all of it with RC_LAKE."
            ) from error
        if reason in (errno.EACCES, errno.EPERM) and not ours:
            raise LakeUnwritable(f"{place}: cannot be read ({os.strerror(reason)}); give this user access.") from error
        if reason in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise LakeUnwritable(
                f"{place}: cannot be written ({os.strerror(reason)}). "
                f"Make the lake {root} writable for this user, or set RC_LAKE to a folder that is."
            ) from error
        raise


def _disk_error(error: BaseException) -> int | None:
    """Return the system's error number; DuckDB, Polars and worker processes hand it over as text only."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    known = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
    return next((number for number in known if os.strerror(number) in str(error)), None)
