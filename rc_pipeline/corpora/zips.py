"""Zip archives and gzip files from strangers: read where they lie, with nothing unpacked to disk or taken on trust."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from rc_pipeline.corpora import archives, unpacking
from rc_pipeline.corpora.archives import Member
from rc_pipeline.corpora.readers import CorpusError, Readable, first_bytes, refuse_what_is_not_text
from rc_pipeline.corpora.tar_headers import refused
from rc_pipeline.corpora.unpacking import CHUNK_BYTES, Unpacked, damaged, unpacked

# The list of members is read at once; some 700 thousand fit.
MAX_DIRECTORY_BYTES = 64 << 20
# The end of a zip archive: a record, a comment of up to 65,535 bytes, and what large archives have before them.
_END_BYTES = 22 + 65_535 + 20 + 56
_GZIP, _ZIP = b"\x1f\x8b", b"PK"
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_UTF8_NAME = 0x800
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, ValueError, OSError)


class _Bounded(io.BufferedReader):
    """A file that no reader takes into memory whole."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes; more than the limit at once are refused."""
        wanted = MAX_DIRECTORY_BYTES + 1 if size is None or size < 0 else min(size, MAX_DIRECTORY_BYTES + 1)
        data = super().read(wanted)
        if len(data) > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f"a list of members longer than {MAX_DIRECTORY_BYTES} bytes")
        return data


class _Data:
    """The bytes of one member of a zip archive."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
        self._archive, self._info, self._path = archive, info, path
        self._file: Readable | None = None

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes of the member."""
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK_BYTES), b""))
        try:
            if self._file is None:
                self._file = self._archive.open(self._info)
            return self._file.read(size)
        except _DAMAGE as error:
            raise damaged(self._path, error) from error


@contextmanager
def zip_members(path: Path) -> Iterator[Iterator[Member]]:
    """Open a zip archive as its regular files, by name.

    All of it is refused if a member is encrypted, a link or a device, leads out of the archive, or breaks a limit.
    """
    start = first_bytes(path, 512)
    if not start.startswith(_ZIP):
        refuse_what_is_not_text(start, str(path))
        raise CorpusError(f"{path}: the file starts with {start[:20]!r}: a .zip archive is expected.")
    with _Bounded(io.FileIO(path)) as file:
        try:
            archive = zipfile.ZipFile(file)
        except _DAMAGE as error:
            raise damaged(path, error) from error
        _require_all(archive, file, path)
        yield _members(archive, path)


def _members(archive: zipfile.ZipFile, path: Path) -> Iterator[Member]:
    named: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        _require_harmless(info, path)
        if info.is_dir():
            continue
        name = _name(info)
        if name in named:
            raise refused(path, name, "is in the archive twice")
        named[name] = info
    _require_no_bomb(named, path)
    for name, info in sorted(named.items()):
        yield Member(path, name, info.file_size, _Data(archive, info, path))


def _require_all(archive: zipfile.ZipFile, file: io.BufferedReader, path: Path) -> None:
    """Raise if the list of members ends before the last one, which Python does not check."""
    file.seek(-min(path.stat().st_size, _END_BYTES), io.SEEK_END)
    end = file.read()
    record, large = end.rfind(b"PK\5\6"), end.rfind(b"PK\6\6")
    counted = int.from_bytes(end[record + 10 : record + 12], "little")
    if counted == 0xFFFF and large >= 0:
        counted = int.from_bytes(end[large + 32 : large + 40], "little")
    found = len(archive.infolist())
    # Some programs write the low two bytes of a larger number.
    if found not in (counted, counted + (found & ~0xFFFF)):
        raise damaged(path, f"{found} members in place of {counted}")


def _require_harmless(info: zipfile.ZipInfo, path: Path) -> None:
    name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if ".." in parts or "\0" in name or name.startswith(("/", "\\")) or name[1:2] == ":":
        raise refused(path, name, "leads out of the archive")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise refused(path, name, "is a link" if kind == stat.S_IFLNK else "is a device or a pipe")
    if info.flag_bits & _ENCRYPTED:
        raise refused(path, name, "is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Python bounds the output of no other method, so a few kilobytes could fill the memory.
        raise refused(path, name, f"is packed by method {info.compress_type} (0 and 8, deflate, can be read)")
    if info.file_size > archives.MAX_MEMBER_BYTES:
        raise refused(path, name, f"says it has {info.file_size} bytes (the limit is {archives.MAX_MEMBER_BYTES})")


def _require_no_bomb(named: dict[str, zipfile.ZipInfo], path: Path) -> None:
    # What the list says is as much as can come out: reading stops there, and a checksum tells when there was more.
    total, packed = sum(info.file_size for info in named.values()), path.stat().st_size
    if len(named) > archives.MAX_MEMBERS or total > unpacking.MAX_TOTAL_BYTES:
        raise CorpusError(
            f"{path}: the archive has {len(named)} members of {total} bytes in all. "
            f"It is refused; {unpacking.LEAVE_OUT}."
        )
    if total > max(unpacking.RATIO_FREE_BYTES, unpacking.MAX_RATIO * packed):
        raise CorpusError(
            f"{path}: the archive unpacks to more than {unpacking.MAX_RATIO} times its size, as archive bombs do. "
            "It is refused; repack it from the original files if it is yours."
        )


def _name(info: zipfile.ZipInfo) -> str:
    """Return a member's name; programs that do not say so write UTF-8 or, in China, the system's own encoding."""
    if not info.flag_bits & _UTF8_NAME:
        raw = info.filename.encode("cp437")
        for encoding in ("utf-8", "gb18030"):
            try:
                return raw.decode(encoding)
            except UnicodeDecodeError:
                continue
    return info.filename


class _Gunzipped:
    """The unpacked bytes of a gzip file."""

    def __init__(self, source: Unpacked) -> None:
        self._source = source

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""
        if size < 0:
            return b"".join(iter(lambda: self._source.take(CHUNK_BYTES), b""))
        return self._source.take(size)


@contextmanager
def gunzipped(path: Path) -> Iterator[Readable]:
    """Open a file that is packed by gzip; the limits of archives hold."""
    start = first_bytes(path)
    if start and not start.startswith(_GZIP):
        refuse_what_is_not_text(start, str(path))
        raise CorpusError(f"{path}: the name ends in .gz, but the file starts with {start[:20]!r}. Rename it.")
    with unpacked(path) as source:
        yield _Gunzipped(source)
