"""Table of an Alpaca dataset: one row an instruction."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from rc_pipeline.corpora.alpaca import SPLITS, read_rows
from rc_pipeline.corpora.readers import BadRow
from rc_pipeline.lake.frames import preview, write_parquet
from rc_pipeline.lake.outcome import JSON, Check, Outcome
from rc_pipeline.tables.quarantine import Quarantine, TablesError
from rc_pipeline.tables.schemas import ALPACA_ROWS, polars_schema


def build_alpaca(dataset: str, raw: Mapping[str, Path], quarantine: Quarantine, out: Path) -> Outcome:
    """Write train.parquet from all raw files, one after another in the order of their names."""
    split = SPLITS[0]
    rows = []
    position = 0
    for name, path in raw.items():
        for row in read_rows(path, name):
            if isinstance(row, BadRow):
                quarantine.add(dataset, split, row)
            else:
                rows.append((f"{dataset}/{split}/{position}", split, *row.fields.values(), name, row.line))
            position += 1
    frame = pl.DataFrame(rows, schema=polars_schema(ALPACA_ROWS), orient="row")
    frame = quarantine.sift(frame, ALPACA_ROWS, dataset, split)
    quarantine.refuse_too_many()
    if not frame.height:
        paths = ", ".join(str(path) for path in raw.values())
        raise TablesError(f"{paths}: dataset {dataset} has no rows. Restore the file, or remove the dataset.")
    write_parquet(frame, out / f"{split}.parquet")
    quarantine.write(out)
    metadata: dict[str, JSON] = {f"rows of {split}": frame.height}
    content = frame.select("instruction", "input", "output")
    metadata |= quarantine.metadata() | {"fully duplicated rows": frame.height - content.n_unique()}
    return Outcome(
        metadata=metadata | {"preview": preview(frame)},
        checks=(quarantine.check(), _row_ids_are_unique(frame)),
        tables={
            dataset: [f"{split}.parquet"],
            "quarantine": ["quarantine.parquet"],
            f"{dataset}_quarantine": ["quarantine.parquet"],
        },
    )


def _row_ids_are_unique(frame: pl.DataFrame) -> Check:
    return Check("row_ids_are_unique", passed=frame["row_id"].n_unique() == frame.height)
