"""What files say: hashes of bytes for inputs, hashes of content for artifacts."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path

from rc_pipeline.lake.canonical import canonical_json, sha256_json
from rc_pipeline.lake.durable import write_atomically

LARGE_FILE_BYTES = 1 << 20
# A file that changed this recently may change again without a new time stamp.
SETTLED_SECONDS = 2.0
ROWS_PER_HASH = 65_536


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class RememberedHashes:
    """Hashes of large input files, remembered by path, size, time stamp and inode."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, path: Path) -> str:
        """Return the SHA-256 of a file, from memory when the file is large and settled."""
        stat = path.stat()
        if stat.st_size < LARGE_FILE_BYTES:
            return sha256_file(path)
        identity = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ino]
        memory = self.folder / f"{sha256_json(identity[0])}.json"
        with suppress(OSError, ValueError, KeyError):
            remembered = json.loads(memory.read_text(encoding="utf-8"))
            if remembered["identity"] == identity:
                return str(remembered["sha256"])
        digest = sha256_file(path)
        if time.time() - stat.st_mtime > SETTLED_SECONDS:
            with suppress(OSError):
                write_atomically(memory, canonical_json({"identity": identity, "sha256": digest}))
        return digest


def stamp(path: Path) -> tuple[int, int, int, int]:
    """Return what any write to a file changes, even one that is undone: times, size and inode."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino


def content_hash(path: Path) -> str:
    """Return the hash of what a file says: values for Parquet, bytes for everything else."""
    return _parquet_values_hash(path) if path.suffix == ".parquet" else sha256_file(path)


def _parquet_values_hash(path: Path) -> str:
    """Hash schema and values, so that another compression or writer version changes nothing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    digest = hashlib.sha256()
    with pq.ParquetFile(path) as file:
        schema = pa.schema([pa.field(field.name, field.type) for field in file.schema_arrow])
        digest.update(str(schema).encode())
        waiting = schema.empty_table()
        for batch in file.iter_batches(ROWS_PER_HASH):
            waiting = pa.concat_tables([waiting, pa.table(batch.columns, schema=schema)])
            while waiting.num_rows >= ROWS_PER_HASH:
                digest.update(_normalised(waiting.slice(0, ROWS_PER_HASH)))
                waiting = waiting.slice(ROWS_PER_HASH)
        if waiting.num_rows:
            digest.update(_normalised(waiting))
    return digest.hexdigest()


def _normalised(table: pa.Table) -> memoryview:  # type: ignore[name-defined]  # noqa: F821
    """Return one chunk's bytes, dictionaries included, free of slice offsets and of masks that say nothing."""
    import numpy as np
    import pyarrow as pa

    # A take copies into buffers of its own, so equal values have equal bytes wherever they were sliced from.
    copied = table.take(np.arange(table.num_rows)).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, copied.schema) as stream:
        stream.write_table(copied)
    return memoryview(sink.getvalue())
