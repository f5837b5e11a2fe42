"""From raw files to validated tables: the format's module says how."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.outcome import JSON, Check, Outcome

if TYPE_CHECKING:
    from rc_pipeline.tables.quarantine import Quarantine


def build_tables(  # noqa: PLR0913 - by name, all of them
    *,
    dataset: str,
    fmt: str,
    raw: Mapping[str, Path],
    tolerated: float,
    out: Path,
    options: Mapping[str, Any] | None = None,
    expected: Mapping[str, int] | None = None,
) -> Outcome:
    """Write the tables and the quarantine of a dataset; raise if too much of it is bad."""
    # Pandera and polars take a second to load, which a run with nothing to build should not pay.
    from rc_pipeline.tables.quarantine import Quarantine, TablesError

    if not raw:
        raise TablesError(f"dataset {dataset}: there are no raw files. Name at least one in the dataset's source.")
    raw, quarantine = dict(sorted(raw.items())), Quarantine(dataset, tolerated, out)
    try:
        return _build(dataset, fmt, raw, options or {}, expected or {}, quarantine, out)
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise


def _build(  # noqa: PLR0913, PLR0917 - what `build_tables` was given
    dataset: str,
    fmt: str,
    raw: Mapping[str, Path],
    options: Mapping[str, Any],
    expected: Mapping[str, int],
    quarantine: Quarantine,
    out: Path,
) -> Outcome:
    # By name, so that what one format is built with is no part of another's code.
    try:
        module = import_module(f"rc_pipeline.tables.{fmt}")
    except ModuleNotFoundError as error:
        from rc_pipeline.tables.quarantine import TablesError

        raise TablesError(f"dataset {dataset}: format is {fmt!r}, which there are no tables for.") from error
    outcome: Outcome
    if fmt == "trivia_qa":
        table, outcome = f"{dataset}_questions", module.build_trivia_qa(dataset, raw, quarantine, out)
    else:
        build_rows, table = import_module("rc_pipeline.tables.rows").build_rows, dataset
        outcome = build_rows(module.FORMAT, dataset=dataset, raw=raw, options=options, quarantine=quarantine, out=out)
    if not expected:
        return outcome
    found = {split: quarantine.rows_read(table, split) for split in expected}
    return replace(outcome, checks=(*outcome.checks, _published_counts(expected, found)))


def _published_counts(expected: Mapping[str, int], found: Mapping[str, int]) -> Check:
    other: dict[str, JSON] = {
        split: f"{found[split]} in place of {rows}" for split, rows in sorted(expected.items()) if found[split] != rows
    }
    return Check(
        "published_counts",
        passed=not other,
        blocking=False,
        description="Every split has as many rows, bad ones included, as its publisher counts (expected_rows).",
        metadata=other,
    )
