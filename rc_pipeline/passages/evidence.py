"""The documents on disk, read in the order in which they lie and a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from rc_pipeline.passages.errors import PassagesError
from rc_pipeline.passages.units import Flags, Ints

# Documents decoded from Parquet at a time; the longest have megabytes.
DOCUMENTS_AT_ONCE = 64


class Evidence:
    """The documents that questions cite, by their number."""

    def __init__(self, folder: Path, documents: pl.Series) -> None:
        self._folder = folder
        self._numbers: dict[Path, Ints] = {}
        numbers = pl.DataFrame({"evidence_id": documents, "document": np.arange(len(documents))})
        there = np.zeros(len(documents), np.bool_)
        for path in sorted(folder.glob("*.parquet")):
            ids = pl.read_parquet(path, columns=["evidence_id"])
            found = ids.join(numbers, on="evidence_id", how="left", maintain_order="left")
            self._numbers[path] = found["document"].fill_null(-1).to_numpy()
            there[self._numbers[path][self._numbers[path] >= 0]] = True
        missing = documents.filter(pl.Series(~there, dtype=pl.Boolean)).to_list()
        if missing:
            raise PassagesError(
                f"{folder}: evidence_id: {missing[0]}: a page names it and no evidence has it "
                f"({len(missing)} such in all); build the tables again"
            )

    def texts(self, wanted: Flags) -> Iterator[tuple[int, str]]:
        """Yield number and text of each of the wanted documents."""
        for path, numbers in self._numbers.items():
            chosen = numbers >= 0
            chosen[chosen] = wanted[numbers[chosen]]
            for found, column in _read(path, chosen):
                yield from zip(numbers[found].tolist(), column, strict=True)


def _read(path: Path, chosen: Flags) -> Iterator[tuple[Ints, list[str]]]:
    """Yield places and texts of the chosen rows; parts of the file without one are never decoded."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        before = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            here, before = before, before + rows
            if not chosen[here:before].any():
                continue
            for batch in file.iter_batches(DOCUMENTS_AT_ONCE, row_groups=[group], columns=["text"]):
                there = np.flatnonzero(chosen[here : here + batch.num_rows])
                if len(there):
                    yield there + here, batch.take(pa.array(there)).column(0).to_pylist()
                here += batch.num_rows
