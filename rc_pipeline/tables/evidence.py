"""The documents of TriviaQA on their way from the archive into Parquet, a batch at a time."""

from __future__ import annotations

import codecs
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import polars as pl

from rc_pipeline.corpora.archives import Member
from rc_pipeline.corpora.readers import BadRow
from rc_pipeline.corpora.trivia_qa import DOMAINS
from rc_pipeline.tables.parquet_stream import arrow_schema
from rc_pipeline.tables.quarantine import Quarantine
from rc_pipeline.tables.schemas import CONTROL_CHARACTERS, TRIVIA_EVIDENCE, polars_schema

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

# Text is looked at while it is in the processor's cache; validation and row groups cost less by the batch.
PIECE_BYTES = 2 << 20
BATCH_BYTES = 24 << 20
# The longest documents of the web domain have a few megabytes.
MAX_DOCUMENT_BYTES = 64 << 20
# Level 3 saves a tenth more and takes half as long again.
ZSTD_LEVEL = 1
_SCANNED_AT_ONCE = 1 << 16


@dataclass(slots=True)
class _Batch:
    """Documents of one domain that wait to be written; the last ones are still bytes."""

    filenames: list[str] = field(default_factory=list)
    texts: list[pa.Array] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    size: int = 0
    last: list[bytes] = field(default_factory=list)
    last_size: int = 0


class EvidenceWriter:
    """Writes <domain>.parquet for each domain; a few batches are in memory, and the names of all documents."""

    def __init__(self, table: str, quarantine: Quarantine, folder: Path) -> None:
        self.seen: set[str] = set()
        self.set_aside: set[str] = set()
        self.documents: Counter[str] = Counter()
        self.repaired: Counter[str] = Counter()
        self._table, self._quarantine, self._folder = table, quarantine, folder
        self._waiting = {domain: _Batch() for domain in DOMAINS}
        self._stack = ExitStack()
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._writing: Future[None] | None = None

    def __enter__(self) -> Self:
        import pyarrow.parquet as pq

        self._folder.mkdir(parents=True, exist_ok=True)
        self._schema = arrow_schema(polars_schema(TRIVIA_EVIDENCE))
        for domain in DOMAINS:
            # Both files always exist, so that the warehouse has its view whatever the archive holds.
            writer = pq.ParquetWriter(
                self._folder / f"{domain}.parquet",
                self._schema,
                compression="zstd",
                compression_level=ZSTD_LEVEL,
                use_dictionary=["domain"],
                write_statistics=["evidence_id", "words"],
            )
            self._writers[domain] = self._stack.enter_context(writer)
        # Compression takes most of the time and leaves the interpreter to the reader meanwhile.
        self._compressing = self._stack.enter_context(ThreadPoolExecutor(1))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if kind is None:
                for domain in DOMAINS:
                    self._flush(domain)
                self._finish_writing()

    def add(self, domain: str, filename: str, member: Member) -> None:
        """Take one document; bytes that are no UTF-8 and control characters are replaced, and counted."""
        evidence_id = f"{domain}/{filename}"
        if evidence_id in self.seen:
            self._refuse("duplicate_document", domain, filename, evidence_id)
            return
        self.seen.add(evidence_id)
        if member.size > MAX_DOCUMENT_BYTES:
            self._refuse("document_too_large", domain, filename, f"{member.size} bytes")
            self.set_aside.add(evidence_id)
            return
        batch = self._waiting[domain]
        batch.filenames.append(filename)
        batch.last.append(member.data.read().removeprefix(codecs.BOM_UTF8))
        batch.last_size += member.size
        if batch.last_size >= PIECE_BYTES:
            self._take_text(batch)
            if batch.size >= BATCH_BYTES:
                self._flush(domain)

    def _refuse(self, reason: str, domain: str, filename: str, value: str) -> None:
        bad = BadRow(reason, f"evidence/{domain}/{filename}", 1, "document", value, {"filename": filename})
        self._quarantine.add(self._table, domain, bad)

    def _take_text(self, batch: _Batch) -> None:
        if not batch.last:
            return
        texts = self._as_text(batch.last)
        batch.texts.append(texts)
        batch.words += count_words(texts)
        batch.size += batch.last_size
        batch.last, batch.last_size = [], 0

    def _flush(self, domain: str) -> None:
        import pyarrow as pa

        batch, self._waiting[domain] = self._waiting[domain], _Batch()
        self._take_text(batch)
        if not batch.filenames:
            return
        ids = [f"{domain}/{filename}" for filename in batch.filenames]
        columns = {
            "evidence_id": ids,
            "domain": [domain] * len(ids),
            "filename": batch.filenames,
            "text": pa.chunked_array(batch.texts),
            "words": batch.words,
        }
        table = pa.table(columns, schema=self._schema)
        frame = cast("pl.DataFrame", pl.from_arrow(table, rechunk=False))
        good = self._quarantine.sift(frame, TRIVIA_EVIDENCE, self._table, domain)
        if good.height < frame.height:
            self.set_aside |= set(ids) - set(good["evidence_id"])
            table = good.to_arrow(compat_level=pl.CompatLevel.oldest())
        self.documents[domain] += good.height
        self._finish_writing()
        if good.height:
            self._writing = self._compressing.submit(self._writers[domain].write_table, table)

    def _finish_writing(self) -> None:
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _as_text(self, texts: list[bytes]) -> pa.Array:
        """Return documents as one array of text, repaired where they are none."""
        import pyarrow as pa

        try:
            array = _joined(texts).cast(pa.large_string())
        except pa.ArrowInvalid:
            array = _joined([self._repaired(text) for text in texts]).cast(pa.large_string())
        if not has_control_characters(array):
            return array
        series = cast("pl.Series", pl.from_arrow(array))
        self.repaired["documents with control characters"] += int(series.str.contains(CONTROL_CHARACTERS).sum())
        repaired = series.str.replace_all(CONTROL_CHARACTERS, " ")
        return repaired.to_arrow(compat_level=pl.CompatLevel.oldest())

    def _repaired(self, text: bytes) -> bytes:
        try:
            text.decode()
        except UnicodeDecodeError:
            self.repaired["documents with bytes that are not UTF-8"] += 1
            return text.decode(errors="replace").encode()
        return text


def _joined(texts: list[bytes]) -> pa.Array:
    """Return texts as one array; joining them copies once, where Arrow's own conversion grows as it goes."""
    import pyarrow as pa

    bounds = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in texts], out=bounds[1:])
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(b"".join(texts))]
    return pa.Array.from_buffers(pa.large_binary(), len(texts), buffers)


def has_control_characters(texts: pa.Array) -> bool:
    """Tell whether any text holds what CONTROL_CHARACTERS matches, in a tenth of the time of the expression."""
    values, _ = _buffers(texts)
    for start in range(0, len(values), _SCANNED_AT_ONCE):
        block = values[start : start + _SCANNED_AT_ONCE]
        # Of the bytes below 32 only 9 to 13 are white space; the difference wraps around for those below 9.
        if np.count_nonzero(block < 32) > np.count_nonzero(block - np.uint8(9) < 5) or np.any(block == 127):
            return True
    return False


def count_words(texts: pa.Array) -> list[int]:
    """Return how many runs of characters other than ASCII white space each text has."""
    values, bounds = _buffers(texts)
    is_space = values <= 32
    starts = np.empty_like(is_space)
    np.greater(is_space[:-1], is_space[1:], out=starts[1:])
    # Where a text begins, the byte before it belongs to another one.
    first = bounds[:-1][bounds[:-1] < bounds[1:]]
    starts[first] = ~is_space[first]
    return [int(np.count_nonzero(starts[start:end])) for start, end in pairwise(bounds.tolist())]


def _buffers(texts: pa.Array) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], np.ndarray[Any, np.dtype[np.int64]]]:
    """Return the bytes of all texts, one after another, and where each begins and ends."""
    bounds = np.frombuffer(texts.buffers()[1], dtype=np.int64)[: len(texts) + 1]
    return np.frombuffer(texts.buffers()[2], dtype=np.uint8)[: bounds[-1]], bounds
