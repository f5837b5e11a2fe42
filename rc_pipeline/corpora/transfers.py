"""A file on its way: the bytes that have arrived lie on disk, so that another process can go on with them."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import RawIOBase
from pathlib import Path

from rc_pipeline.lake.canonical import canonical_json
from rc_pipeline.lake.durable import LakeUnwritable, sync_folder, write_atomically

SECONDS_BETWEEN_LINES = 10.0
CHUNK_BYTES = 1 << 18
Say = Callable[[str], None]


class Transfer:
    """What has arrived of one file, its hash, and which version of the file it belongs to."""

    def __init__(self, url: str, place: Path, say: Say) -> None:
        self.url, self.name, self.say = url, place.name, say
        self.digest, self.done = hashlib.sha256(), 0
        self.validator = ""
        self.total: int | None = None
        # Whether the bytes came over more than one connection.
        self.went_on = False
        self._partial = place.with_name(f"{place.name}.partial")
        self._note = place.with_name(f"{place.name}.json")
        place.parent.mkdir(parents=True, exist_ok=True)
        self._take_up()

    def _take_up(self) -> None:
        """Hash what an earlier process left, if its note tells which version of the file that is."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            validator, total = str(note["validator"]), note["total"]
            left = self._partial.stat().st_size if note["url"] == self.url else 0
        except (OSError, ValueError, KeyError, TypeError):
            return
        if left == 0 or (total is not None and left > total):
            return
        with self._partial.open("rb") as file:
            for chunk in iter(lambda: file.read(CHUNK_BYTES), b""):
                self.digest.update(chunk)
        self.done, self.validator, self.total, self.went_on = left, validator, total, True
        self.say(f"{self.name}: going on after the {megabytes(left)} that are here already")

    def begin(self, validator: str = "", total: int | None = None) -> None:
        """Let go of what has arrived: the file comes from its first byte, in this version and of this length."""
        # The note goes first and comes back last, so that it never speaks of another version's bytes.
        self._note.unlink(missing_ok=True)
        self._partial.write_bytes(b"")
        self.digest, self.done, self.went_on = hashlib.sha256(), 0, False
        self.validator, self.total = validator, total
        self._require_space()
        if validator:
            write_atomically(self._note, canonical_json({"url": self.url, "validator": validator, "total": total}))

    def go_on(self, total: int | None) -> None:
        """The rest of the same version comes."""
        self.total = self.total if total is None else total
        self.went_on = True
        self._require_space()

    def resumable(self) -> bool:
        """Tell whether a server can be asked for the rest, and only the rest."""
        return self.done > 0 and self.validator != ""

    def is_complete(self) -> bool:
        """Tell whether as many bytes have arrived as were promised."""
        return self.total is not None and self.done >= self.total

    def receive(self, chunks: Iterator[bytes]) -> None:
        """Add bytes as they come; every one that arrived is kept, whatever ends the transfer."""
        pace = _Pace(self)
        with self._partial.open("ab", buffering=0) as file:
            for chunk in chunks:
                self._write(file, chunk)
                self.digest.update(chunk)
                self.done += len(chunk)
                pace.tell()

    def _write(self, file: RawIOBase, chunk: bytes) -> None:
        left = memoryview(chunk)
        try:
            while left:
                # Unbuffered, so that nothing is lost when this process is killed; a full disk takes a part first.
                left = left[file.write(left) or 0 :]
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self._no_space("the disk is full") from error
            raise

    def first_bytes(self) -> bytes:
        """Return how the file starts."""
        with self._partial.open("rb") as file:
            return file.read(64)

    def put_in_place(self, path: Path) -> None:
        """Give the file its name in one step, bytes first."""
        path.parent.mkdir(parents=True, exist_ok=True)
        sync_folder(self._partial)
        self._partial.replace(path)
        sync_folder(path.parent)
        self.discard()

    def discard(self) -> None:
        """Leave nothing behind."""
        self._note.unlink(missing_ok=True)
        self._partial.unlink(missing_ok=True)
        with suppress(OSError):
            self._partial.parent.rmdir()

    def _require_space(self) -> None:
        missing = 0 if self.total is None else self.total - self.done
        if missing > shutil.disk_usage(self._partial.parent).free:
            raise self._no_space(f"{megabytes(missing)} are still to come")

    def _no_space(self, what: str) -> LakeUnwritable:
        free = megabytes(shutil.disk_usage(self._partial.parent).free)
        kept = f" The first {megabytes(self.done)} are kept for the next run." if self.resumable() else ""
        return LakeUnwritable(
            f"{self.name}: {what}, and {self._partial.parent} has {free} left. Free some space "
            f"(`rc-pipeline gc` removes what no study needs), or set RC_LAKE to a larger disk.{kept}"
        )


class _Pace:
    """Says now and then how far a transfer is, how fast it goes and when it will be over."""

    def __init__(self, transfer: Transfer) -> None:
        self._transfer, self._first = transfer, transfer.done
        self._started = self._said = time.monotonic()

    def tell(self) -> None:
        now, one = time.monotonic(), self._transfer
        if now - self._said < SECONDS_BETWEEN_LINES:
            return
        self._said = now
        speed = (one.done - self._first) / (now - self._started)
        far, left = megabytes(one.done), ""
        if one.total and speed:
            far = f"{100 * one.done // one.total} % of {megabytes(one.total)}"
            left = f", {(one.total - one.done) / speed:.0f} s left"
        one.say(f"{one.name}: {far}, {speed / 1e6:.1f} MB/s{left}")


def megabytes(count: int) -> str:
    """Return a number of bytes for people."""
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count:,} bytes"
