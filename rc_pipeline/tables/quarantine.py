"""Rows that cannot be used: kept with their reason, counted, and fatal when there are too many."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors

from rc_pipeline.corpora.readers import BadRow
from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.lake.outcome import JSON, Check

if TYPE_CHECKING:
    import pyarrow.parquet as pq

SHOWN_FAILURES = 5
BATCH_ROWS = 2000
COLUMNS = {
    "dataset": pl.String,
    "table": pl.String,
    "split": pl.String,
    "source_file": pl.String,
    "source_line": pl.Int64,
    "reason": pl.String,
    "row": pl.String,
}
COUNTS = {
    "dataset": pl.String,
    "table": pl.String,
    "split": pl.String,
    "reason": pl.String,
    "rows": pl.Int64,
    "of_rows": pl.Int64,
    "tolerated": pl.Float64,
}


class TablesError(ValueError):
    """A dataset that has too many bad rows, or none at all, to be worth a table."""


class Quarantine:
    """The bad rows of one dataset, by table and split; at most a few thousand are in memory."""

    def __init__(self, dataset: str, tolerated: float, out: Path) -> None:
        self.dataset, self.tolerated = dataset, tolerated
        self._folder = out / "quarantine"
        self._waiting: dict[str, list[tuple[object, ...]]] = {}
        self._first: dict[tuple[str, str], list[BadRow]] = {}
        self._bad: Counter[tuple[str, str, str]] = Counter()
        self._good: Counter[tuple[str, str]] = Counter()
        self._stack = ExitStack()
        self._writers: dict[str, pq.ParquetWriter] = {}

    def add(self, table: str, split: str, bad: BadRow) -> None:
        """Set a row of a table aside."""
        self._bad[table, split, bad.reason] += 1
        shown = self._first.setdefault((table, split), [])
        if len(shown) < SHOWN_FAILURES:
            shown.append(bad)
        rows = self._waiting.setdefault(table, [])
        rows.append((self.dataset, table, split, bad.file, bad.line, bad.reason, bad.row_json()))
        if len(rows) >= BATCH_ROWS:
            self._flush(table)

    def count_good(self, table: str, split: str, rows: int) -> None:
        """Count rows that entered a table."""
        self._good[table, split] += rows

    def sift(self, frame: pl.DataFrame, schema: pa.DataFrameSchema, table: str, split: str) -> pl.DataFrame:
        """Return the rows that the schema accepts; each of the others is set aside for its first broken rule."""
        broken = _broken_rules(frame, schema)
        for index, (column, reason, value) in sorted(broken.items()):
            row = frame.row(index, named=True)
            # A document of an archive is a file of its own; every other row says where it stands.
            file = str(row["source_file"] if "source_file" in row else f"evidence/{row['evidence_id']}")
            line = int(row.get("source_line", 1))
            self.add(table, split, BadRow(reason, file, line, column, value, row))
        if broken:
            frame = frame.with_row_index("_at").filter(~pl.col("_at").is_in(sorted(broken))).drop("_at")
        self.count_good(table, split, frame.height)
        return frame

    def _flush(self, table: str) -> None:
        import pyarrow.parquet as pq

        frame = pl.DataFrame(self._waiting.pop(table, []), schema=COLUMNS, orient="row")
        rows = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if table not in self._writers:
            self._folder.mkdir(parents=True, exist_ok=True)
            writer = pq.ParquetWriter(self._folder / f"{table}.parquet", rows.schema, compression="zstd")
            self._writers[table] = self._stack.enter_context(writer)
        self._writers[table].write_table(rows)

    def _tables(self) -> list[str]:
        met = {table for table, _, _ in self._bad} | {table for table, _ in self._good}
        return sorted(met or {self.dataset})

    def write(self, out: Path) -> dict[str, list[str]]:
        """Finish a file for every table, empty or not, and the counts; return the views of them all."""
        files = {}
        for table in self._tables():
            self._flush(table)
            files[f"{table}_quarantine"] = [f"quarantine/{table}.parquet"]
        self._stack.close()
        write_parquet(self._counts(), out / "quarantine_counts.parquet")
        every = sorted(file for listed in files.values() for file in listed)
        return files | {
            f"{self.dataset}_quarantine": every,
            "quarantine": every,
            "quarantine_counts": ["quarantine_counts.parquet"],
        }

    def _counts(self) -> pl.DataFrame:
        """Return the set-aside rows of every table and split by reason; reason null counts what was kept."""
        totals = self._totals()
        kept = [(self.dataset, *place, None, rows, totals[place], self.tolerated) for place, rows in self._good.items()]
        bad = [
            (self.dataset, table, split, reason, rows, totals[table, split], self.tolerated)
            for (table, split, reason), rows in self._bad.items()
        ]
        frame = pl.DataFrame([*kept, *bad], schema=COUNTS, orient="row")
        return frame.sort("table", "split", "reason", nulls_last=False)

    def _totals(self) -> Counter[tuple[str, str]]:
        totals = Counter(self._good)
        for (table, split, _), rows in self._bad.items():
            totals[table, split] += rows
        return totals

    def rows_read(self, table: str, split: str) -> int:
        """Return how many rows of a table were met, good and bad."""
        return self._totals()[table, split]

    def refuse_too_many(self) -> None:
        """Raise if a split of a table has a larger share of bad rows than is tolerated."""
        totals = self._totals()
        problems = []
        for place in sorted(self._first):
            bad = totals[place] - self._good[place]
            if bad > self.tolerated * totals[place]:
                problems.append(self._too_many(place, bad, totals[place]))
        if problems:
            self._stack.close()
            raise TablesError("\n".join(problems))

    def _too_many(self, place: tuple[str, str], bad: int, total: int) -> str:
        lines = [f"  {row.describe()}" for row in self._first[place]]
        if bad > len(lines):
            lines.append(f"  … and {bad - len(lines)} more")
        table, split = place
        head = (
            f"dataset {self.dataset}, table {table}, split {split}: {bad} of {total} rows are bad "
            f"({bad / total:.1%}; tolerated_bad_rows is {self.tolerated:.1%}). Correct them at the source, or raise "
            "tolerated_bad_rows in the dataset's file of the catalog to set them aside:"
        )
        return "\n".join([head, *lines])

    def metadata(self) -> dict[str, JSON]:
        """Return the counts by reason, for people."""
        reasons: Counter[str] = Counter()
        for (_, _, reason), rows in self._bad.items():
            reasons[reason] += rows
        counts: dict[str, JSON] = {f"quarantined: {reason}": reasons[reason] for reason in sorted(reasons)}
        return {"quarantined": reasons.total()} | counts

    def check(self) -> Check:
        """Return the verdict of `refuse_too_many` as a check; a dataset that fails it never gets this far."""
        figures: dict[str, JSON] = {"bad": self._bad.total(), "good": self._good.total()}
        return Check(
            "quarantine_within_tolerance",
            passed=True,
            description=f"At most {self.tolerated:.1%} of the rows of any split are set aside.",
            metadata=figures,
        )


def _broken_rules(frame: pl.DataFrame, schema: pa.DataFrameSchema) -> dict[int, tuple[str, str, str]]:
    """Return {row: (column, rule, value)} with the first broken rule of each row."""
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        whole = cases.filter(pl.col("index").is_null())
        if whole.height:
            # Only a bug in a reader gets here: the frame has other columns or types than the schema.
            raise TypeError(f"a frame does not fit its schema: {whole.to_dicts()}") from errors
        broken: dict[int, tuple[str, str, str]] = {}
        for case in cases.iter_rows(named=True):
            rule = f"empty_{case['column']}" if case["check"] == "not_nullable" else str(case["check"])
            broken.setdefault(int(case["index"]), (str(case["column"]), rule, str(case["failure_case"])))
        return broken
    return {}
