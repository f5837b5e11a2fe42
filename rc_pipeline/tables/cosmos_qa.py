"""Tables of Cosmos QA: one row a question, one file a split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from rc_pipeline.corpora.cosmos_qa import LABEL, SPLITS, TEXT_FIELDS, read_split
from rc_pipeline.corpora.readers import BadRow
from rc_pipeline.lake.frames import preview, write_parquet
from rc_pipeline.lake.outcome import JSON, Check, Outcome
from rc_pipeline.tables.quarantine import Quarantine, TablesError
from rc_pipeline.tables.schemas import cosmos_rows, polars_schema


def build_cosmos_qa(dataset: str, raw: Mapping[str, Path], quarantine: Quarantine, out: Path) -> Outcome:
    """Write <split>.parquet for each raw file; a file is named for its split (train.csv, test.jsonl)."""
    files = _files_by_split(dataset, raw)
    tables = {split: _read(dataset, split, *file, quarantine) for split, file in files.items()}
    quarantine.refuse_too_many()
    for split, frame in tables.items():
        if not frame.height:
            raise TablesError(
                f"{files[split][1]}: split {split} of dataset {dataset} has no rows. "
                "Restore the file, or remove it from the dataset's source."
            )
    for split, frame in tables.items():
        write_parquet(frame, out / f"{split}.parquet")
    quarantine.write(out)
    whole = pl.concat(tables.values())
    metadata: dict[str, JSON] = {f"rows of {split}": frame.height for split, frame in tables.items()}
    metadata |= quarantine.metadata() | _notes(whole) | {"preview": preview(whole)}
    return Outcome(
        metadata=metadata,
        checks=(quarantine.check(), _labels_in_range(tables), _splits_share_no_context(whole)),
        tables={
            dataset: [f"{split}.parquet" for split in tables],
            "quarantine": ["quarantine.parquet"],
            f"{dataset}_quarantine": ["quarantine.parquet"],
        },
    )


def _files_by_split(dataset: str, raw: Mapping[str, Path]) -> dict[str, tuple[str, Path]]:
    files: dict[str, tuple[str, Path]] = {}
    for name, path in raw.items():
        split = name.partition(".")[0]
        if split not in SPLITS:
            raise TablesError(
                f"dataset {dataset}: raw file {name!r} names no split. Call it train.csv, valid.csv or test.jsonl."
            )
        if split in files:
            raise TablesError(
                f"dataset {dataset}: {files[split][0]} and {name} are both split {split}. Keep one of them."
            )
        files[split] = (name, path)
    return {split: files[split] for split in SPLITS if split in files}


def _read(dataset: str, split: str, name: str, path: Path, quarantine: Quarantine) -> pl.DataFrame:
    schema = cosmos_rows(labelled=split != "test")
    rows = []
    # The position counts bad rows too, so that correcting one does not rename the rows after it.
    for position, row in enumerate(read_split(path, name, split)):
        if isinstance(row, BadRow):
            quarantine.add(dataset, split, row)
            continue
        texts = [row.fields[field] for field in TEXT_FIELDS]
        label = row.fields.get(LABEL) or (None if split == "test" else "")
        rows.append((f"{dataset}/{split}/{position}", split, *texts, label, name, row.line))
    frame = pl.DataFrame(rows, schema=polars_schema(schema), orient="row")
    return quarantine.sift(frame, schema, dataset, split).with_columns(pl.col(LABEL).cast(pl.Int8))


def _notes(whole: pl.DataFrame) -> dict[str, JSON]:
    """Count what is odd but right: Cosmos QA repeats ids, and now and then whole rows."""
    content = [*TEXT_FIELDS, LABEL]
    return {
        "contexts": whole["context"].n_unique(),
        "rows with a repeated id": whole.height - whole.select("split", "id").n_unique(),
        "fully duplicated rows": whole.height - whole.select("split", *content).n_unique(),
    }


def _labels_in_range(tables: Mapping[str, pl.DataFrame]) -> Check:
    labelled = [frame[LABEL] for split, frame in tables.items() if split != "test"]
    passed = all(not labels.null_count() and labels.is_between(0, 3).all() for labels in labelled)
    return Check("labels_in_range", passed=passed, description="Every label of train and valid is 0, 1, 2 or 3.")


def _splits_share_no_context(whole: pl.DataFrame) -> Check:
    shared = whole.group_by("context").agg(pl.col("split").n_unique()).filter(pl.col("split") > 1).height
    return Check(
        "splits_share_no_context",
        passed=not shared,
        blocking=False,
        description="No context stands in two splits; one that does lets a model recall what it was trained on.",
        metadata={"shared_contexts": shared},
    )
