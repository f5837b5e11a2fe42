"""Parquet in and out of the lake, and the small tables that people see of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from rc_pipeline.lake.outcome import JSON

CELL_CHARACTERS = 120


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame as Parquet, making the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path, compression="zstd")


def preview(frame: pl.DataFrame, rows: int = 5) -> dict[str, JSON]:
    """Return the first rows as a Markdown table, long cells cut, ready to be metadata."""
    return {"markdown": markdown_table(frame.columns, [list(row) for row in frame.head(rows).iter_rows()])}


def markdown_table(columns: list[str], rows: list[list[object]]) -> str:
    """Return a Markdown table whose cells cannot break out of it."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    if len(text) > CELL_CHARACTERS:
        text = text[: CELL_CHARACTERS - 1] + "…"
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\r", "").replace("\n", " ⏎ ")
