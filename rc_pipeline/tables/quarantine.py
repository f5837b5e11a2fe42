"""Rows that cannot be used: kept with their reason, counted, and fatal when there are too many."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors

from rc_pipeline.corpora.readers import BadRow
from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.lake.outcome import JSON, Check

SHOWN_FAILURES = 5
COLUMNS = {
    "dataset": pl.String,
    "table": pl.String,
    "split": pl.String,
    "source_file": pl.String,
    "source_line": pl.Int64,
    "reason": pl.String,
    "row": pl.String,
}


class TablesError(ValueError):
    """A dataset that has too many bad rows, or none at all, to be worth a table."""


class Quarantine:
    """The bad rows of one dataset, by table and split."""

    def __init__(self, dataset: str, tolerated: float) -> None:
        self.dataset, self.tolerated = dataset, tolerated
        self._bad: list[tuple[str, str, BadRow]] = []
        self._good: Counter[tuple[str, str]] = Counter()

    def add(self, table: str, split: str, bad: BadRow) -> None:
        """Set a row of a table aside."""
        self._bad.append((table, split, bad))

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

    def frame(self) -> pl.DataFrame:
        """Return the quarantine as a table."""
        rows = [
            (self.dataset, table, split, bad.file, bad.line, bad.reason, bad.row_json())
            for table, split, bad in self._bad
        ]
        return pl.DataFrame(rows, schema=COLUMNS, orient="row")

    def write(self, out: Path) -> None:
        """Write quarantine.parquet, empty or not: a warehouse view needs it either way."""
        write_parquet(self.frame(), out / "quarantine.parquet")

    def refuse_too_many(self) -> None:
        """Raise if a split of a table has no good row, or a larger share of bad ones than is tolerated."""
        bad = Counter((table, split) for table, split, _ in self._bad)
        problems = []
        for place in sorted(bad):
            total = bad[place] + self._good[place]
            if bad[place] > self.tolerated * total:
                problems.append(self._too_many(place, bad[place], total))
        if problems:
            raise TablesError("\n".join(problems))

    def _too_many(self, place: tuple[str, str], bad: int, total: int) -> str:
        here = [row for table, split, row in self._bad if (table, split) == place]
        lines = [f"  {row.describe()}" for row in here[:SHOWN_FAILURES]]
        if len(here) > SHOWN_FAILURES:
            lines.append(f"  … and {len(here) - SHOWN_FAILURES} more")
        table, split = place
        head = (
            f"dataset {self.dataset}, table {table}, split {split}: {bad} of {total} rows are bad "
            f"({bad / total:.1%}; tolerated_bad_rows is {self.tolerated:.1%}). Correct them at the source, or raise "
            "tolerated_bad_rows in the dataset's file of the catalog to set them aside:"
        )
        return "\n".join([head, *lines])

    def metadata(self) -> dict[str, JSON]:
        """Return the counts by reason, for people."""
        reasons = Counter(bad.reason for _, _, bad in self._bad)
        counts: dict[str, JSON] = {f"quarantined: {reason}": reasons[reason] for reason in sorted(reasons)}
        return {"quarantined": len(self._bad)} | counts

    def check(self) -> Check:
        """Return the verdict of `refuse_too_many` as a check; a dataset that fails it never gets this far."""
        figures: dict[str, JSON] = {"bad": len(self._bad), "good": sum(self._good.values())}
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
