"""Parquet files that are written and read a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import polars as pl

if TYPE_CHECKING:
    import pyarrow as pa

Types = dict[str, Any]
BATCH_ROWS = 16384


def arrow_schema(types: Types) -> pa.Schema:
    """Return the types of Polars columns as Arrow names them."""
    return pl.DataFrame(schema=types).to_arrow(compat_level=pl.CompatLevel.oldest()).schema


def as_frame(columns: Iterable[Sequence[object]], types: Types) -> pl.DataFrame:
    """Return columns of Python values as a frame."""
    named = zip(types.items(), columns, strict=True)
    return pl.DataFrame([pl.Series(name, column, dtype=kind) for (name, kind), column in named])


@contextmanager
def writing(path: Path, types: Types) -> Iterator[Callable[[pl.DataFrame], None]]:
    """Open a Parquet file, which exists even if nothing is written, and give what appends a frame to it."""
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, arrow_schema(types), compression="zstd") as writer:

        def write(frame: pl.DataFrame) -> None:
            if frame.height:
                writer.write_table(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))

        yield write


def reading(path: Path, columns: list[str] | None = None) -> Iterator[pl.DataFrame]:
    """Yield the rows of a Parquet file as frames of BATCH_ROWS at most."""
    import pyarrow.parquet as pq

    # By default a file that is read in batches is fetched as a whole beforehand.
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=columns):
            yield cast("pl.DataFrame", pl.from_arrow(batch))
