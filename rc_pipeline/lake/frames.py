"""Parquet in and out of the lake, and the small tables that people see of it."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from rc_pipeline.lake.outcome import JSON

CELL_CHARACTERS = 120
# Text of strangers as it stands: a picture in it would have the reader's browser ask its server.
_MARKUP = re.compile(r"[`*_\[\]!~&$]")


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame as Parquet, making the folders above it."""
    from polars.exceptions import ComputeError

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        frame.write_parquet(path, compression="zstd")
    except ComputeError as error:
        # Of the last bytes of a file, the library says only that they could not be written.
        if os.statvfs(path.parent).f_bavail:
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error


def preview(frame: pl.DataFrame, rows: int = 5) -> dict[str, JSON]:
    """Return the first rows as a Markdown table, long cells cut, ready to be metadata."""
    shown = [list(row) for row in frame.head(rows).iter_rows()]
    return {"markdown": markdown_table(frame.columns, shown, literal=True)}


def as_it_stands(text: str) -> str:
    """Return a text of strangers as Markdown that shows it, character by character."""
    return _MARKUP.sub(r"\\\g<0>", text.replace("\\", "\\\\")).replace("<", "&lt;")


def markdown_table(
    columns: list[str], rows: list[list[object]], *, literal: bool = False, escaped: bool = False
) -> str:
    """Return a Markdown table whose cells cannot break out of it; those of a literal one have no markup either.

    The backslashes of `escaped` cells are Markdown's own.
    """
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(_cell(value, literal=literal, escaped=escaped) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object, *, literal: bool, escaped: bool) -> str:
    text = "" if value is None else str(value)
    if len(text) > CELL_CHARACTERS:
        text = text[: CELL_CHARACTERS - 1] + "…"
    if literal:
        text = as_it_stands(text)
    elif not escaped:
        text = text.replace("\\", "\\\\").replace("<", "&lt;")
    return text.replace("|", "\\|").replace("\r", "").replace("\n", " ⏎ ")
