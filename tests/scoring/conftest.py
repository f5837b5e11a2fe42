"""Small real evaluation sets as Parquet files, scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.scoring.build import score
from tests.scoring.rows import ASKED_SCHEMA, SAID_SCHEMA

Rows = Sequence[Mapping[str, Any]]
Score = Callable[..., Outcome]


@pytest.fixture
def scored(tmp_path: Path) -> Score:
    """Score rows given in Python; the files land in tmp_path / "out"."""

    def run(instructions: Rows, predictions: Rows, kind: str, limit: int | None = None) -> Outcome:
        pl.DataFrame(instructions, schema=ASKED_SCHEMA).write_parquet(tmp_path / "instructions.parquet")
        pl.DataFrame(predictions, schema=SAID_SCHEMA).write_parquet(tmp_path / "predictions.parquet")
        return score(
            run="tuned", eval_set="set/valid", kind=kind, predictions=tmp_path / "predictions.parquet",
            instructions=tmp_path / "instructions.parquet", limit=limit, seed=0, out=tmp_path / "out",
            about={"language": "en"},
        )  # fmt: skip

    return run


@pytest.fixture
def questions(tmp_path: Path) -> Callable[[], dict[str, dict[str, Any]]]:
    """Read back the verdicts, by row_id."""
    return lambda: {row["row_id"]: row for row in pl.read_parquet(tmp_path / "out" / "questions.parquet").to_dicts()}


@pytest.fixture
def values(tmp_path: Path) -> Callable[[], dict[str, float | None]]:
    """Read back the scores, by metric."""
    return lambda: dict(pl.read_parquet(tmp_path / "out" / "scores.parquet").select("metric", "value").iter_rows())
