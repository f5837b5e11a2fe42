"""What tests of exports share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from rows import SCHEMA

from rc_pipeline.exporting.export import Source


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., Source]:
    """Return a function that writes {split: rows} and gives them as an artifact's instructions."""

    def write(drop: tuple[str, ...] = (), **splits: list[dict[str, Any]]) -> Source:
        files = {}
        for split, rows in splits.items():
            files[split] = tmp_path / "artifact" / f"{split}.parquet"
            files[split].parent.mkdir(exist_ok=True)
            pl.DataFrame(rows, schema_overrides=SCHEMA).drop(drop).write_parquet(files[split])
        return Source("talks", files, "instructions/talks", "f" * 64, "c" * 64)

    return write
