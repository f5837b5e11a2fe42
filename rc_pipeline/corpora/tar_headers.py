"""The headers of tar archives (ustar, GNU and PAX), read strictly: what is not understood is refused."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

from rc_pipeline.corpora.readers import CorpusError
from rc_pipeline.corpora.unpacking import Unpacked, damaged

BLOCK = 512
# Names and PAX records; the longest that a file system takes is 4 kB.
MAX_EXTENSION_BYTES = 1 << 20
_EMPTY = bytes(BLOCK)
_FILES, _FOLDER = frozenset(b"0\x007"), ord("5")
_LINKS, _DEVICES = frozenset(b"12K"), frozenset(b"346S")
_LONG_NAME, _PAX, _PAX_GLOBAL = ord("L"), frozenset(b"xX"), ord("g")


@dataclass(frozen=True, slots=True)
class Header:
    """A regular file or a folder in an archive."""

    name: bytes
    size: int
    is_folder: bool


@dataclass(slots=True)
class _Told:
    """What extension headers say of the member that follows them."""

    name: bytes | None = None
    size: int | None = None


def refused(path: Path, name: bytes | str, fault: str) -> CorpusError:
    """Return the error for a member that no archive of texts should have."""
    return CorpusError(
        f"{path}: the member {name!a} {fault}. The archive is refused; get it from its publisher, or repack it "
        "with regular files only."
    )


def next_header(source: Unpacked, path: Path, members: int) -> Header | None:
    """Return the header of the next member, or nothing at the end of an archive that is whole."""
    told = _Told()
    while True:
        block = source.take(BLOCK)
        if len(block) < BLOCK:
            raise damaged(path, f"no end of archive after the {members} members that were found")
        if block == _EMPTY:
            _require_end(source, path, members)
            return None
        _require_checksum(block, path, members)
        name, kind, size = _name(block), block[156], _number(block[124:136], path)
        if kind == _LONG_NAME:
            told.name = _extension(source, size, path).partition(b"\0")[0]
        elif kind in _PAX or kind == _PAX_GLOBAL:
            _read_pax(_extension(source, size, path), told, path, everywhere=kind == _PAX_GLOBAL)
        else:
            name = name if told.name is None else told.name
            # The oldest archives mark a folder by the slash at the end of its name.
            is_folder = kind == _FOLDER or (kind == 0 and name.endswith(b"/"))
            if not is_folder and kind not in _FILES:
                raise refused(path, name, f"is {_describe(kind)}")
            return Header(name, size if told.size is None else told.size, is_folder)


def _require_end(source: Unpacked, path: Path, members: int) -> None:
    # A damaged header, and a second archive behind the first, must not be taken for padding.
    while chunk := source.take(1 << 16):
        if chunk.count(0) != len(chunk):
            raise damaged(path, f"there is more after the end of the archive and its {members} members")


def _require_checksum(block: bytes, path: Path, members: int) -> None:
    told = _number(block[148:156], path)
    blanked = block[:148] + b"        " + block[156:]
    # The low half of Adler-32 is one more than the sum, modulo 65521: a tenth of the time of sum().
    if zlib.adler32(blanked) & 0xFFFF == (told + 1) % 65521:
        return
    # Some old programs added the bytes up as signed numbers.
    if sum(byte - 256 if byte > 127 else byte for byte in blanked) != told:
        raise damaged(path, f"the header of member {members + 1} has a wrong checksum")


def _name(block: bytes) -> bytes:
    name = block[:100].partition(b"\0")[0]
    # GNU headers keep time stamps where POSIX keeps the first half of a long name.
    prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _number(field: bytes, path: Path) -> int:
    if field[0] in (0x80, 0xFF):
        # Sizes past 8 GB are binary; a negative one is refused with all other absurd sizes.
        return int.from_bytes(field[1:], "big", signed=field[0] == 0xFF)
    digits = field.partition(b"\0")[0].strip()
    if digits.strip(b"01234567"):
        raise damaged(path, f"a header has the number {digits!r}")
    return int(digits or b"0", 8)


def _extension(source: Unpacked, size: int, path: Path) -> bytes:
    if not 0 <= size <= MAX_EXTENSION_BYTES:
        raise CorpusError(
            f"{path}: a header says that the name of a member has {size} bytes (the limit is {MAX_EXTENSION_BYTES}). "
            "The archive is refused; get it from its publisher."
        )
    data = source.take(size + -size % BLOCK)
    if len(data) < size + -size % BLOCK:
        raise damaged(path, "it ends in a header")
    return data[:size]


def _read_pax(data: bytes, told: _Told, path: Path, *, everywhere: bool) -> None:
    """Take path and size from records of the form `<length> <key>=<value>` and a line feed."""
    at = 0
    while at < len(data):
        digits = data[at : at + 20].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        record = data[at + len(digits) + 1 : at + length]
        key, equals, value = record.removesuffix(b"\n").partition(b"=")
        if not (equals and record.endswith(b"\n")) or at + length > len(data):
            raise damaged(path, f"a PAX header has the record {data[at : at + 40]!r}")
        at += length
        if key.startswith(b"GNU.sparse"):
            raise refused(path, told.name or b"", "is a sparse file")
        if key not in (b"path", b"size"):
            continue
        if everywhere:
            raise CorpusError(
                f"{path}: a header gives every member the {key.decode()} {value!a}. It is refused; get the archive "
                "from its publisher."
            )
        if key == b"path":
            told.name = value
        elif value.isdigit() and len(value) < 20:
            told.size = int(value)
        else:
            raise damaged(path, f"a PAX header has the size {value[:40]!r}")


def _describe(kind: int) -> str:
    if kind in _LINKS:
        return "a link"
    return "a device, a pipe or a sparse file" if kind in _DEVICES else f"of the unknown type {chr(kind)!a}"
