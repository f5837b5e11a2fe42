"""What files say: hashes of bytes for inputs, hashes of content for artifacts."""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.canonical import canonical_json, sha256_json
from rc_pipeline.lake.durable import write_atomically

if TYPE_CHECKING:
    import pyarrow as pa
    from typing_extensions import Buffer

LARGE_FILE_BYTES = 1 << 20
# A file that changed this recently may change again without a new time stamp.
SETTLED_SECONDS = 2.0
# Rows can be whole documents or long conversations: this many, and a copy, are in memory at a time.
ROWS_PER_HASH = 256
READ_BYTES = 1 << 20


class NotPlain(ValueError):
    """A folder of data that holds a link, a device or a pipe."""


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_below(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the regular files of a folder and then those of the folders in it, by name; links are refused."""
    waiting = [str(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                yield entry
            elif not entry.is_dir(follow_symlinks=False):
                kind = "a link" if entry.is_symlink() else "a device or a pipe"
                raise NotPlain(f"{entry.path}: it is {kind}. Keep regular files only in a folder of data.")
        waiting += [entry.path for entry in reversed(entries) if entry.is_dir(follow_symlinks=False)]


def sha256_folder(folder: Path) -> str:
    """Return the SHA-256 over the relative paths of a folder's files, in order, and the SHA-256 of each."""
    return _digest(
        (os.path.relpath(entry.path, folder), sha256_file(Path(entry.path))) for entry in files_below(folder)
    )


class RememberedHashes:
    """Hashes of large input files and of folders, remembered by path, size, time stamps and inode.

    A copy that keeps time stamps, or `touch`, sets the time of the last write to any other; that of the last change it
    cannot set.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, path: Path) -> str:
        """Return the SHA-256 of a file or a folder, from memory when it is large and settled."""
        if path.is_dir():
            return self._remembered(path, [_identity(path)], sha256_folder)
        stat = path.stat()
        if stat.st_size < LARGE_FILE_BYTES:
            return sha256_file(path)
        return self._remembered(path, [*_times(stat)], sha256_file)

    def _remembered(self, path: Path, facts: list[Any], digest_of: Callable[[Path], str]) -> str:
        identity = [str(path.resolve()), *facts]
        memory = self.folder / f"{sha256_json(identity[0])}.json"
        with suppress(OSError, ValueError, KeyError):
            remembered = json.loads(memory.read_text(encoding="utf-8"))
            if remembered["identity"] == identity:
                return str(remembered["sha256"])
        digest = digest_of(path)
        with suppress(OSError):
            if time.time() - _last_change(path) > SETTLED_SECONDS:
                write_atomically(memory, canonical_json({"identity": identity, "sha256": digest}))
        return digest


def stamp(path: Path) -> tuple[int, int, int, int] | str:
    """Return what any write to a file or in a folder changes, even one that is undone: times, size and inode."""
    if path.is_dir():
        # A file that was put there and taken away again shows in the times of its folder alone.
        folders = sorted((folder, *_times(Path(folder).stat())) for folder, _, _ in os.walk(path))
        files = ((entry.path, *_times(entry.stat(follow_symlinks=False))) for entry in files_below(path))
        return _digest([*folders, *files])
    return _times(path.stat())


def _identity(folder: Path) -> str:
    """Return what shows that no file of a folder was touched, without reading any."""
    stats = ((entry.path, entry.stat(follow_symlinks=False)) for entry in files_below(folder))
    return _digest((path, *_times(stat)) for path, stat in stats)


def _last_change(path: Path) -> float:
    if path.is_dir():
        return max((_touched(entry.stat(follow_symlinks=False)) for entry in files_below(path)), default=0.0)
    return _touched(path.stat())


def _touched(stat: os.stat_result) -> float:
    return max(stat.st_mtime, stat.st_ctime)


def _times(stat: os.stat_result) -> tuple[int, int, int, int]:
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino


def _digest(facts: Iterable[tuple[object, ...]]) -> str:
    """Return one hash for facts in order; names may hold bytes that are not UTF-8."""
    digest = hashlib.sha256()
    for fact in facts:
        digest.update(json.dumps(fact).encode() + b"\n")
    return digest.hexdigest()


def content_hash(path: Path) -> str:
    """Return the hash of what a file says: values for Parquet, bytes for everything else."""
    return _parquet_values_hash(path) if path.suffix == ".parquet" else sha256_file(path)


def _parquet_values_hash(path: Path) -> str:
    """Hash schema and values, so that another compression, row group size or writer version changes nothing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    digest = hashlib.sha256()
    # By default a file that is read in batches is fetched as a whole beforehand.
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=READ_BYTES) as file:
        schema = pa.schema([pa.field(field.name, field.type) for field in file.schema_arrow])
        digest.update(str(schema).encode())
        waiting = schema.empty_table()
        for batch in file.iter_batches(ROWS_PER_HASH):
            waiting = pa.concat_tables([waiting, pa.table(batch.columns, schema=schema)])
            while waiting.num_rows >= ROWS_PER_HASH:
                _add_values(digest, waiting.slice(0, ROWS_PER_HASH))
                waiting = waiting.slice(ROWS_PER_HASH)
        if waiting.num_rows:
            _add_values(digest, waiting)
    return digest.hexdigest()


class _Sink(io.RawIOBase):
    """A file that keeps nothing but the hash of what is written to it."""

    def __init__(self, digest: hashlib._Hash) -> None:
        self._digest = digest

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        self._digest.update(data)
        return memoryview(data).nbytes


def _add_values(digest: hashlib._Hash, table: pa.Table) -> None:
    """Hash one chunk's bytes, dictionaries included, free of slice offsets and of masks that say nothing."""
    import pyarrow as pa

    columns = [_own_buffers(column.combine_chunks()) for column in table.columns]
    with pa.PythonFile(_Sink(digest), mode="w") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_batch(pa.record_batch(columns, schema=table.schema))


def _own_buffers(column: pa.Array) -> pa.Array:
    """Return a column whose equal values have equal bytes wherever it was sliced from."""
    import numpy as np
    import pyarrow as pa

    kind = column.type
    if column.null_count == 0 and (pa.types.is_large_string(kind) or pa.types.is_string(kind)):
        # The stream cuts the buffers of these to what the slice uses; they are most of the bytes there are.
        return column
    return column.take(np.arange(len(column)))
