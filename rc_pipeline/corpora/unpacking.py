"""Packed files from strangers, unpacked a thread ahead of the reader and held against limits."""

from __future__ import annotations

import bz2
import gzip
import lzma
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Full, Queue
from typing import IO, cast

from rc_pipeline.corpora.readers import CorpusError, Readable, refuse_what_is_not_text, unreadable

# TriviaQA's archive unpacks to about ten gigabytes.
MAX_TOTAL_BYTES = 64 << 30
# Text packs three to ten times; a run of zeros a thousand times. Small archives may exceed the ratio.
MAX_RATIO = 100
RATIO_FREE_BYTES = 64 << 20
LEAVE_OUT = "leave in it only what belongs to the dataset"
CHUNK_BYTES = 1 << 20
CHUNKS_AHEAD = 8
_POLL_SECONDS = 0.1


def damaged(path: Path, why: object) -> CorpusError:
    """Return the error for an archive that is not whole."""
    return CorpusError(f"{path}: the archive is cut off or damaged ({why}). Download or copy it again.")


class Unpacked:
    """The unpacked bytes of an archive, from front to back."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk, self._at = b"", 0

    def take(self, size: int) -> bytes:
        """Return the next bytes, fewer than `size` only at the end."""
        end = self._at + size
        if end <= len(self._chunk):
            found = self._chunk[self._at : end]
            self._at = end
            return found
        parts = [self._chunk[self._at :]]
        missing = end - len(self._chunk)
        self._chunk, self._at = b"", 0
        for chunk in self._chunks:
            if len(chunk) >= missing:
                parts.append(chunk[:missing])
                self._chunk, self._at = chunk, missing
                break
            parts.append(chunk)
            missing -= len(chunk)
        return b"".join(parts)

    def skip(self, size: int) -> int:
        """Pass over bytes and return how many there were."""
        passed = 0
        while passed < size and (found := len(self.take(min(size - passed, CHUNK_BYTES)))):
            passed += found
        return passed


@contextmanager
def unpacked(path: Path) -> Iterator[Unpacked]:
    """Open a tar archive (plain, gzip, bzip2 or xz) and unpack it ahead of the reader."""
    try:
        packed = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error
    with packed:
        metered = _Metered(_unpacking(packed, path), packed, path)
        ahead = _Ahead(metered)
        ahead.start()
        try:
            yield Unpacked(ahead.chunks())
        finally:
            ahead.stop()


def _unpacking(packed: IO[bytes], path: Path) -> Readable:
    try:
        start = packed.read(512)
    except OSError as error:
        raise unreadable(path, error) from error
    packed.seek(0)
    if not start:
        raise CorpusError(f"{path}: the archive is empty (0 bytes). Download or copy it again.")
    if start.startswith(b"\x1f\x8b"):
        # Three times as fast as the standard library's, and as strict.
        from isal import igzip

        return cast("Readable", igzip.IGzipFile(fileobj=packed))  # type: ignore[no-untyped-call]
    if start.startswith(b"BZh"):
        return bz2.BZ2File(packed)
    if start.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMAFile(packed)
    if start[257:262] != b"ustar":
        refuse_what_is_not_text(start[:256], str(path))
        raise CorpusError(f"{path}: the file starts with {start[:20]!r}: a .tar or .tar.gz archive is expected.")
    return packed


class _Metered:
    """Unpacked bytes, counted against the limits."""

    def __init__(self, unpacking: Readable, packed: IO[bytes], path: Path) -> None:
        self._unpacking, self._packed, self._path = unpacking, packed, path
        self._total = 0

    def next_chunk(self) -> bytes:
        """Return the next bytes, or raise when the archive is damaged or unpacks to too much."""
        from isal.igzip_lib import IsalError

        try:
            data = self._unpacking.read(CHUNK_BYTES)
        except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, cast("type[Exception]", IsalError)) as error:
            raise damaged(self._path, error) from error
        except OSError as error:
            raise (damaged if error.errno is None else unreadable)(self._path, error) from error
        self._total += len(data)
        if self._total > MAX_TOTAL_BYTES:
            raise CorpusError(
                f"{self._path}: the archive unpacks to more than {MAX_TOTAL_BYTES} bytes. It is refused; {LEAVE_OUT}."
            )
        if self._total > RATIO_FREE_BYTES and self._total > MAX_RATIO * max(self._packed.tell(), 1):
            raise CorpusError(
                f"{self._path}: the archive unpacks to more than {MAX_RATIO} times its size, as archive bombs do. "
                "It is refused; repack it from the original files if it is yours."
            )
        return data


class _Ahead(threading.Thread):
    """Unpacks a few chunks ahead of the reader."""

    def __init__(self, metered: _Metered) -> None:
        super().__init__(name="unpacking", daemon=True)
        self._metered = metered
        self._waiting: Queue[bytes | Exception] = Queue(CHUNKS_AHEAD)
        self._stopped = threading.Event()

    def run(self) -> None:
        """Unpack to the end, or until it is stopped or fails."""
        try:
            while chunk := self._metered.next_chunk():
                if not self._put(chunk):
                    return
            self._put(b"")
        except Exception as error:
            self._put(error)

    def _put(self, item: bytes | Exception) -> bool:
        while not self._stopped.is_set():
            try:
                self._waiting.put(item, timeout=_POLL_SECONDS)
            except Full:
                continue
            return True
        return False

    def chunks(self) -> Iterator[bytes]:
        """Yield what was unpacked, or raise what went wrong."""
        while chunk := self._waiting.get():
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    def stop(self) -> None:
        """End the thread, wherever it is."""
        self._stopped.set()
        self.join()
