"""Tar archives read in one pass from strangers: nothing is unpacked to disk, and nothing is taken on trust."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from rc_pipeline.corpora.readers import CorpusError, Readable, refuse_what_is_not_text, unreadable

# TriviaQA's archive holds 662 thousand files, 2.5 GB packed; its largest, web-train.json, has less than 1 GB.
MAX_MEMBER_BYTES = 4 << 30
MAX_TOTAL_BYTES = 64 << 30
MAX_MEMBERS = 5_000_000
# Text packs three to ten times; a run of zeros a thousand times. Small archives may exceed the ratio.
MAX_RATIO = 100
RATIO_FREE_BYTES = 64 << 20
_BLOCK = 512
_CHUNK = 1 << 18


@dataclass(frozen=True)
class Member:
    """One regular file of an archive; read its data before asking for the next one."""

    archive: Path
    name: str
    size: int
    data: Readable


class _Data:
    """The bytes of one member; a damaged archive shows as such wherever they are read."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file, self._path = file, path

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes of the member."""
        try:
            return self._file.read(size)
        except tarfile.TarError as error:
            raise _broken(self._path, error) from error


class _Metered(io.RawIOBase):
    """Unpacked bytes of an archive, counted against the limits."""

    def __init__(self, unpacked: Readable, packed: IO[bytes], path: Path) -> None:
        self._unpacked, self._packed, self._path = unpacked, packed, path
        self.total = self.last_content = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, or raise when the archive is damaged or unpacks to too much."""
        try:
            data = self._unpacked.read(_CHUNK if size < 0 else size)
        except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
            raise _broken(self._path, error) from error
        except OSError as error:
            raise (_broken if error.errno is None else unreadable)(self._path, error) from error
        filled = len(data.rstrip(b"\0"))
        if filled:
            self.last_content = self.total + filled
        self.total += len(data)
        if self.total > MAX_TOTAL_BYTES:
            raise CorpusError(f"{self._path}: the archive unpacks to more than {MAX_TOTAL_BYTES} bytes. It is refused.")
        if self.total > RATIO_FREE_BYTES and self.total > MAX_RATIO * max(self._packed.tell(), 1):
            raise CorpusError(
                f"{self._path}: the archive unpacks to more than {MAX_RATIO} times its size, as archive bombs do. "
                "It is refused; repack it from the original files if it is yours."
            )
        return data


def archive_members(path: Path) -> Iterator[Member]:
    """Yield the regular files of a tar archive (plain, gzip, bzip2 or xz) in their order.

    The whole archive is refused if a member is a link or a device, leads out of the archive, or breaks a limit.
    """
    with ExitStack() as stack:
        try:
            packed = stack.enter_context(path.open("rb"))
        except OSError as error:
            raise unreadable(path, error) from error
        metered = _Metered(_unpacked(packed, path, stack), packed, path)
        try:
            yield from _members(metered, path)
        except tarfile.TarError as error:
            raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> CorpusError:
    return CorpusError(f"{path}: the archive is cut off or damaged ({error}). Download or copy it again.")


def _unpacked(packed: IO[bytes], path: Path, stack: ExitStack) -> Readable:
    start = packed.read(512)
    packed.seek(0)
    if not start:
        raise CorpusError(f"{path}: the archive is empty (0 bytes). Download or copy it again.")
    if start.startswith(b"\x1f\x8b"):
        return stack.enter_context(gzip.GzipFile(fileobj=packed))
    if start.startswith(b"BZh"):
        return stack.enter_context(bz2.BZ2File(packed))
    if start.startswith(b"\xfd7zXZ\x00"):
        return stack.enter_context(lzma.LZMAFile(packed))
    if start[257:262] != b"ustar":
        refuse_what_is_not_text(start[:256], str(path))
        raise CorpusError(f"{path}: the file starts with {start[:20]!r}: a .tar or .tar.gz archive is expected.")
    return packed


def _members(metered: _Metered, path: Path) -> Iterator[Member]:
    count = 0
    with tarfile.open(fileobj=metered, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:
        while (info := tar.next()) is not None:
            # tarfile keeps every header it has met; 662 thousand of them are most of a gigabyte.
            tar.members = []  # type: ignore[attr-defined]
            count += 1
            if count > MAX_MEMBERS:
                raise CorpusError(f"{path}: the archive has more than {MAX_MEMBERS} members. It is refused.")
            name = _safe_name(info, path)
            if info.isdir():
                continue
            data = tar.extractfile(info)
            if data is None:
                raise _refused(path, info.name, "is not a regular file")
            yield Member(path, name, info.size, _Data(data, path))
        end = tar.offset
    while metered.read(_CHUNK):
        pass
    # tarfile takes a damaged header, and an archive cut off between two members, for the end of the archive.
    if metered.last_content > end or metered.total - end < _BLOCK:
        raise _broken(path, EOFError(f"no end of archive after the {count} members that were found"))


def _safe_name(info: tarfile.TarInfo, path: Path) -> str:
    name = info.name.removeprefix("./")
    if not (info.isdir() or (info.isreg() and not info.issparse())):
        kind = "a link" if info.issym() or info.islnk() else "a device, a pipe or a sparse file"
        raise _refused(path, info.name, f"is {kind}")
    if name.startswith("/") or ".." in PurePosixPath(name).parts or "\0" in name:
        raise _refused(path, info.name, "leads out of the archive")
    if info.size < 0 or info.size > MAX_MEMBER_BYTES:
        raise _refused(path, info.name, f"says it has {info.size} bytes (the limit is {MAX_MEMBER_BYTES})")
    return _text_name(name)


def _refused(path: Path, name: str, fault: str) -> CorpusError:
    return CorpusError(
        f"{path}: the member {name!a} {fault}. The archive is refused; get it from its publisher, or repack it "
        "with regular files only."
    )


def _text_name(name: str) -> str:
    """Return a name that is text: bytes that are not UTF-8 are read as Latin-1."""
    raw = name.encode(errors="surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


class Names:
    """Names of documents, found again even if case or Unicode form differs."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._folded: dict[str, list[str]] | None = None

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def __len__(self) -> int:
        return len(self._names)

    def add(self, name: str) -> None:
        """Remember a name."""
        self._names.add(name)
        self._folded = None

    def find(self, name: str) -> str | None:
        """Return the name as it is, or the only one that differs from it in case or Unicode form alone."""
        if name in self._names:
            return name
        if self._folded is None:
            self._folded = {}
            for known in sorted(self._names):
                self._folded.setdefault(_fold(known), []).append(known)
        alike = self._folded.get(_fold(name), [])
        same_case = [known for known in alike if _nfc(known) == _nfc(name)]
        for candidates in (same_case, alike):
            if len(candidates) == 1:
                return candidates[0]
        return None


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _fold(name: str) -> str:
    return _nfc(_nfc(name).casefold())
