"""Files of an archive or an unpacked folder, read in one pass from strangers: nothing is taken on trust."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rc_pipeline.corpora import unpacking
from rc_pipeline.corpora.readers import CorpusError, Readable, unreadable
from rc_pipeline.corpora.tar_headers import BLOCK, next_header, refused
from rc_pipeline.corpora.unpacking import Unpacked, damaged, unpacked
from rc_pipeline.lake.hashing import NotPlain, files_below

# TriviaQA's archive holds 662 thousand files; its largest, web-train.json, has less than 1 GB.
MAX_MEMBER_BYTES = 4 << 30
MAX_MEMBERS = 2_000_000


@dataclass(frozen=True, slots=True)
class Member:
    """One regular file; read its data before asking for the next one."""

    archive: Path
    name: str
    size: int
    data: Readable


class _Data:
    """The bytes of one member of an archive."""

    def __init__(self, source: Unpacked, size: int, path: Path) -> None:
        self._source, self.left, self._path = source, size, path

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes of the member; an archive that ends before is damaged."""
        wanted = self.left if size < 0 else min(size, self.left)
        data = self._source.take(wanted)
        if len(data) < wanted:
            raise damaged(self._path, "it ends in the middle of a member")
        self.left -= wanted
        return data


@contextmanager
def members_of(path: Path) -> Iterator[Iterator[Member]]:
    """Open a tar archive, or a folder that one was unpacked into, as its regular files.

    All of it is refused if a member is a link or a device, leads out of the archive, or breaks a limit.
    An archive has its own order; a folder is read by name.
    """
    if path.is_dir():
        yield _in_folder(path)
        return
    with unpacked(path) as source:
        yield _in_archive(source, path)


def _in_archive(source: Unpacked, path: Path) -> Iterator[Member]:
    count = 0
    while (header := next_header(source, path, count)) is not None:
        count += 1
        _require_few(count, path)
        name = header.name.removeprefix(b"./")
        if name.startswith(b"/") or b".." in name.split(b"/") or b"\0" in name:
            raise refused(path, header.name, "leads out of the archive")
        _require_small(header.size, path, header.name)
        if header.is_folder:
            continue
        data = _Data(source, header.size, path)
        yield Member(path, _text_name(name), header.size, data)
        left = data.left + -header.size % BLOCK
        if source.skip(left) < left:
            raise damaged(path, f"it ends in the middle of member {count}")


def _in_folder(path: Path) -> Iterator[Member]:
    total = 0
    try:
        for count, entry in enumerate(files_below(path), start=1):
            _require_few(count, path)
            name = os.fsencode(os.path.relpath(entry.path, path))
            with _opened(Path(entry.path)) as data:
                size = os.fstat(data.fileno()).st_size
                _require_small(size, path, name)
                total += size
                if total > unpacking.MAX_TOTAL_BYTES:
                    raise CorpusError(
                        f"{path}: it holds more than {unpacking.MAX_TOTAL_BYTES} bytes. "
                        f"It is refused; {unpacking.LEAVE_OUT}."
                    )
                yield Member(path, _text_name(name), size, data)
    except NotPlain as error:
        raise CorpusError(str(error)) from error
    except OSError as error:
        raise unreadable(Path(error.filename or path), error) from error


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    """Open a file that may have become a link or a pipe since it was listed."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb", buffering=0) as data:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise CorpusError(f"{file}: it is no regular file any more. Leave the folder alone while it is read.")
        yield data


def _require_few(count: int, path: Path) -> None:
    if count > MAX_MEMBERS:
        raise CorpusError(
            f"{path}: the archive has more than {MAX_MEMBERS} members. It is refused; {unpacking.LEAVE_OUT}."
        )


def _require_small(size: int, path: Path, name: bytes) -> None:
    if not 0 <= size <= MAX_MEMBER_BYTES:
        raise refused(path, name, f"says it has {size} bytes (the limit is {MAX_MEMBER_BYTES})")


def _text_name(name: bytes) -> str:
    """Return a name that is text: bytes that are not UTF-8 are read as Latin-1."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")
