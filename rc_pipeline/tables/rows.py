"""Tables of one row a question, instruction or sentence pair: read, validated and written a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandera.polars as pa
import polars as pl

from rc_pipeline.corpora.inventory import Place, RawFile, raw_file_list, usual_place
from rc_pipeline.corpora.readers import BadRow, Row
from rc_pipeline.lake.canonical import stable_hash
from rc_pipeline.lake.frames import preview
from rc_pipeline.lake.outcome import JSON, Check, Outcome
from rc_pipeline.tables.quarantine import Quarantine, TablesError
from rc_pipeline.tables.schemas import polars_schema, row_schema

if TYPE_CHECKING:
    import pyarrow.parquet as pq

# Rows of conversations may have hundreds of thousands of characters each, so both are bounded.
BATCH_ROWS = 2_000
BATCH_CHARACTERS = 8 << 20
Options = Mapping[str, Any]
NO_ANSWER = pl.lit([], dtype=pl.List(pl.String))


@dataclass(frozen=True)
class Part:
    """Rows of one file, or of files that belong together: where they go, and what comes out of them."""

    split: str
    part: str
    rows: Iterable[Row | BadRow]


@dataclass(frozen=True)
class RowFormat:
    """How the raw files of a format become rows.

    `group` names the text that rows which belong together share, such as their passage: no such group may
    stand in two splits. `gold` is the list of accepted answers. Both are columns of the table.
    """

    parts: Callable[[Mapping[str, Path], Options], Iterator[Part]]
    columns: Callable[[str, Options], dict[str, pa.Column]]
    group: Callable[[Options], pl.Expr]
    gold: Callable[[Options], pl.Expr]
    casts: Mapping[str, Any] = field(default_factory=dict)
    notes: Callable[[pl.LazyFrame], dict[str, JSON]] = lambda _: {}
    checks: Callable[[Mapping[str, pl.LazyFrame]], tuple[Check, ...]] = lambda _: ()


def one_part_a_file(
    read: Callable[[RawFile, str, Options], Iterator[Row | BadRow]], place: Callable[[str], Place] = usual_place
) -> Callable[[Mapping[str, Path], Options], Iterator[Part]]:
    """Return the `parts` of a format in which every file stands for itself."""

    def parts(raw: Mapping[str, Path], options: Options) -> Iterator[Part]:
        for file in raw_file_list(raw):
            where = place(file.name)
            yield Part(where.split, where.part, read(file, where.split, options))

    return parts


def build_rows(  # noqa: PLR0913 - by name, all of them
    form: RowFormat, *, dataset: str, raw: Mapping[str, Path], options: Options, quarantine: Quarantine, out: Path
) -> Outcome:
    """Write <split>.parquet for every split that the files hold, and the quarantine."""
    with _Splits(form, dataset, options, quarantine, out) as splits:
        for part in form.parts(raw, options):
            splits.take(part)
    quarantine.refuse_too_many()
    files = ", ".join(str(path) for path in raw.values())
    for split, rows in splits.rows.items():
        if not rows:
            bad = quarantine.rows_read(dataset, split)
            raise TablesError(
                f"{files}: split {split} of dataset {dataset} has no rows{f' but {bad} bad ones' if bad else ''}. "
                "Restore the file, or remove it from the dataset's source."
            )
    if not splits.rows:
        raise TablesError(f"{files}: dataset {dataset} has no rows. Restore the files, or remove the dataset.")
    views = quarantine.write(out)
    order = sorted(splits.rows, key=lambda split: (split != "train", split == "test", split))
    tables = {split: pl.scan_parquet(out / f"{split}.parquet") for split in order}
    whole = pl.concat(tables.values())
    metadata: dict[str, JSON] = {f"rows of {split}": splits.rows[split] for split in order}
    metadata |= quarantine.metadata() | {"fully duplicated rows": _repeated(whole, list(form.columns("", options)))}
    metadata |= form.notes(whole) | {"preview": preview(whole.head(5).collect())}
    return Outcome(
        metadata=metadata,
        checks=(quarantine.check(), _ids_are_unique(whole), _splits_are_disjoint(whole), *form.checks(tables)),
        tables={dataset: [f"{split}.parquet" for split in order]} | views,
    )


class _Splits:
    """The files of a table while they are written, one a split."""

    def __init__(self, form: RowFormat, dataset: str, options: Options, quarantine: Quarantine, out: Path) -> None:
        self.rows: dict[str, int] = {}
        self._taken: set[tuple[str, str]] = set()
        self._form, self._dataset, self._options = form, dataset, options
        self._quarantine, self._out = quarantine, out
        self._stack = ExitStack()
        self._writers: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> _Splits:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def take(self, part: Part) -> None:
        """Write the rows of a part; those that break a rule go to the quarantine."""
        if (part.split, part.part) in self._taken:
            raise TablesError(
                f"dataset {self._dataset}: two raw files are {part.part or 'the whole'} of split {part.split}. Keep "
                f"one, or tell them apart: {part.split}-1, {part.split}-2."
            )
        self._taken.add((part.split, part.part))
        schema = row_schema(self._form.columns(part.split, self._options))
        types = polars_schema(schema)
        prefix = "/".join(name for name in (self._dataset, part.split, part.part) if name)
        self.rows.setdefault(part.split, 0)
        for batch in _batches(part.rows):
            rows = []
            for position, row in batch:
                if isinstance(row, BadRow):
                    self._quarantine.add(self._dataset, part.split, row)
                else:
                    row_id = f"{prefix}/{row.key or position}"
                    rows.append({"row_id": row_id, "split": part.split, **row.fields,
                                 "source_file": row.file, "source_line": row.line})  # fmt: skip
            frame = pl.DataFrame(rows, schema=types)
            self._write(part.split, self._quarantine.sift(frame, schema, self._dataset, part.split))

    def _write(self, split: str, frame: pl.DataFrame) -> None:
        import pyarrow.parquet as pq

        form, options = self._form, self._options
        columns = [name for name in frame.columns if name not in ("source_file", "source_line")]
        frame = frame.with_columns(pl.col(name).cast(kind) for name, kind in form.casts.items())
        groups = frame.select(form.group(options).fill_null("")).to_series()
        frame = frame.select(
            *columns, _hashed(groups), form.gold(options).alias("gold_answers"), "source_file", "source_line"
        )
        rows = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if split not in self._writers:
            self._out.mkdir(parents=True, exist_ok=True)
            writer = pq.ParquetWriter(self._out / f"{split}.parquet", rows.schema, compression="zstd")
            self._writers[split] = self._stack.enter_context(writer)
        if frame.height:
            self._writers[split].write_table(rows)
        self.rows[split] += frame.height


def _batches(rows: Iterable[Row | BadRow]) -> Iterator[list[tuple[int, Row | BadRow]]]:
    """Yield rows with their positions; these count bad rows too, so that correcting one renames no other."""
    batch: list[tuple[int, Row | BadRow]] = []
    characters = 0
    for position, row in enumerate(rows):
        batch.append((position, row))
        characters += _characters(row.fields) if isinstance(row, Row) else 0
        if len(batch) == BATCH_ROWS or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _characters(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(map(_characters, inner))


def _hashed(texts: pl.Series) -> pl.Series:
    groups = {text: f"{stable_hash(0, text):016x}" for text in texts.unique().to_list()}
    return pl.Series("group", [groups[text] for text in texts.to_list()], dtype=pl.String)


def _repeated(whole: pl.LazyFrame, content: list[str]) -> int:
    """Count the rows that say what another row of their split says."""
    counted = whole.select(rows=pl.len(), kinds=pl.struct("split", *content).hash().n_unique()).collect()
    rows, kinds = counted.row(0)
    return int(rows - kinds)


def _ids_are_unique(whole: pl.LazyFrame) -> Check:
    rows, ids = whole.select(pl.len().alias("rows"), ids=pl.col("row_id").n_unique()).collect().row(0)
    return Check("row_ids_are_unique", passed=rows == ids, description="An id names one row.")


def _splits_are_disjoint(whole: pl.LazyFrame) -> Check:
    splits = whole.group_by("group").agg(splits=pl.col("split").n_unique())
    shared = splits.filter(pl.col("splits") > 1).select(pl.len()).collect().item()
    return Check(
        "splits_are_disjoint",
        passed=not shared,
        blocking=False,
        description="No passage stands in two splits; one that does lets a model recall what it was trained on.",
        metadata={"shared": shared},
    )
