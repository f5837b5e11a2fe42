"""The documents of TriviaQA on their way from the archive into Parquet, a batch at a time."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import polars as pl

from rc_pipeline.corpora.archives import Member, Names
from rc_pipeline.corpora.readers import BadRow
from rc_pipeline.corpora.trivia_qa import DOMAINS
from rc_pipeline.tables.quarantine import Quarantine
from rc_pipeline.tables.schemas import CONTROL_CHARACTERS, TRIVIA_EVIDENCE, polars_schema

if TYPE_CHECKING:
    import pyarrow.parquet as pq

BATCH_BYTES = 32 << 20
# The longest documents of the web domain have a few megabytes.
MAX_DOCUMENT_BYTES = 64 << 20


class EvidenceWriter:
    """Writes <domain>.parquet for each domain; at most one batch of each is in memory."""

    def __init__(self, table: str, quarantine: Quarantine, folder: Path) -> None:
        self.names = Names()
        self.documents: Counter[str] = Counter()
        self.repaired: Counter[str] = Counter()
        self._table, self._quarantine, self._folder = table, quarantine, folder
        self._waiting: dict[str, list[tuple[str, str, str, str]]] = {domain: [] for domain in DOMAINS}
        self._bytes: Counter[str] = Counter()
        self._seen: set[str] = set()
        self._stack = ExitStack()
        self._writers: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> Self:
        import pyarrow.parquet as pq

        self._folder.mkdir(parents=True, exist_ok=True)
        schema = (
            pl.DataFrame(schema=polars_schema(TRIVIA_EVIDENCE)).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
        )
        for domain in DOMAINS:
            # Both files always exist, so that the warehouse has its view whatever the archive holds.
            path = self._folder / f"{domain}.parquet"
            self._writers[domain] = self._stack.enter_context(pq.ParquetWriter(path, schema, compression="zstd"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                for domain in DOMAINS:
                    self._flush(domain)
        finally:
            self._stack.close()

    def add(self, domain: str, filename: str, member: Member) -> None:
        """Take one document; bytes that are no UTF-8 and control characters are replaced, and counted."""
        evidence_id = f"{domain}/{filename}"
        if evidence_id in self._seen:
            self._set_aside("duplicate_document", domain, filename, evidence_id)
            return
        self._seen.add(evidence_id)
        if member.size > MAX_DOCUMENT_BYTES:
            self._set_aside("document_too_large", domain, filename, f"{member.size} bytes")
            return
        data = member.data.read()
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("utf-8-sig", errors="replace")
            self.repaired["documents with bytes that are not UTF-8"] += 1
        self._waiting[domain].append((evidence_id, domain, filename, text))
        self._bytes[domain] += len(data)
        if self._bytes[domain] >= BATCH_BYTES:
            self._flush(domain)

    def _set_aside(self, reason: str, domain: str, filename: str, value: str) -> None:
        bad = BadRow(reason, f"evidence/{domain}/{filename}", 1, "document", value, {"filename": filename})
        self._quarantine.add(self._table, domain, bad)

    def _flush(self, domain: str) -> None:
        rows, self._waiting[domain], self._bytes[domain] = self._waiting[domain], [], 0
        types = {name: kind for name, kind in polars_schema(TRIVIA_EVIDENCE).items() if name != "words"}
        text = pl.col("text")
        frame = pl.DataFrame(rows, schema=types, orient="row")
        spoilt = frame.select(text.str.contains(CONTROL_CHARACTERS).sum()).item()
        if spoilt:
            self.repaired["documents with control characters"] += spoilt
            frame = frame.with_columns(text.str.replace_all(CONTROL_CHARACTERS, " "))
        frame = frame.with_columns(words=text.str.count_matches(r"\S+").cast(pl.Int64))
        good = self._quarantine.sift(frame, TRIVIA_EVIDENCE, self._table, domain)
        for evidence_id in good["evidence_id"]:
            self.names.add(evidence_id)
        self.documents[domain] += good.height
        if good.height:
            self._writers[domain].write_table(good.to_arrow(compat_level=pl.CompatLevel.oldest()))
