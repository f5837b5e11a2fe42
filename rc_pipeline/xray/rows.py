"""The rows to look at: one by its id, or the first of each template."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def rows_to_show(file: Path, *, row: str | None = None, template: str | None = None) -> list[dict[str, Any]]:
    """Return the rows of an id (its own, or its instruction's), or the first row of each template."""
    import duckdb

    with duckdb.connect(":memory:") as connection:
        table = connection.read_parquet(str(file), file_row_number=True)
        if template is not None:
            table = table.filter(duckdb.ColumnExpression("template") == duckdb.ConstantExpression(template))
        if row is not None:
            wanted = duckdb.ConstantExpression(row)
            names = duckdb.ColumnExpression("row_id"), duckdb.ColumnExpression("instruction_id")
            found = table.filter((names[0] == wanted) | (names[1] == wanted))
        else:
            # Two passes, so that only the rows to show are ever read whole.
            first = table.aggregate("template, min(file_row_number) AS at", "template").order("template").fetchall()
            number = duckdb.ColumnExpression("file_row_number")
            numbers = [duckdb.ConstantExpression(at) for _, at in first] or [duckdb.ConstantExpression(-1)]
            found = table.filter(number.isin(*numbers)).order("template")
        names_of, values = found.columns, found.fetchall()
    rows = [dict(zip(names_of, each, strict=True)) for each in values]
    if not rows:
        asked = " and ".join(f"{name} {value}" for name, value in (("id", row), ("template", template)) if value)
        raise ValueError(f"{file.stem}: there is no row{f' of {asked}' if asked else ''}; `rc-pipeline sql` lists them")
    return rows
