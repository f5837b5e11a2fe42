"""What waits on disk, block by block, until the last document of its questions has been read."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import polars as pl

from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.passages.matching import ROW, Rows
from rc_pipeline.passages.questions import BLOCK

CHARACTERS_IN_MEMORY = 32 << 20
SLICE: dict[str, Any] = {"question": pl.Int64, "rank": pl.Int64, "start": pl.Int64, "text": pl.String}


class RowSpill:
    """Rows of windows, a file for each block of questions."""

    def __init__(self, folder: Path, blocks: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._paths = [folder / f"{block}.rows" for block in range(blocks)]
        self._stack = ExitStack()
        self._files: list[BinaryIO] = []

    def __enter__(self) -> Self:
        self._files = [self._stack.enter_context(path.open("wb", 1 << 17)) for path in self._paths]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def add(self, rows: Rows) -> None:
        """Take rows of any questions."""
        block = rows["question"] // BLOCK
        order = np.argsort(block, kind="stable")
        found, first = np.unique(block[order], return_index=True)
        for number, part in zip(found, np.split(rows[order], first[1:]), strict=True):
            self._files[number].write(part.tobytes())

    def take(self, block: int) -> Rows:
        """Return the rows of a block, by question, document and place, and forget them."""
        rows = np.fromfile(self._paths[block], ROW)
        self._paths[block].unlink()
        return rows[np.lexsort((rows["start"], rows["rank"], rows["question"]))]


class TextSpill:
    """Slices of documents, on their way into passages."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: dict[int, list[tuple[int, int, int, str]]] = defaultdict(list)
        self._characters = self._flushed = 0

    def add(self, question: int, rank: int, start: int, text: str) -> None:
        """Take the slice of a question's document that begins at `start`."""
        self._waiting[question // BLOCK].append((question, rank, start, text))
        self._characters += len(text)
        if self._characters >= CHARACTERS_IN_MEMORY:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        for block, slices in self._waiting.items():
            frame = pl.DataFrame(slices, schema=SLICE, orient="row")
            write_parquet(frame, self._folder / str(block) / f"{self._flushed}.parquet")
        self._flushed += 1
        self._waiting.clear()
        self._characters = 0

    def take(self, block: int) -> pl.DataFrame:
        """Return the slices of a block, by question, document and place."""
        parts = [pl.read_parquet(path) for path in sorted((self._folder / str(block)).glob("*.parquet"))]
        return pl.concat(parts or [pl.DataFrame(schema=SLICE)]).sort("question", "rank", "start")
