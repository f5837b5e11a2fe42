from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from rc_pipeline.tables.build import build_tables
from rc_pipeline.tables.trivia_checks import foreign_keys_hold
from tests.corpora.raw_archives import qa_file, question, write_tar_gz

FINE = {"answers without question": 0, "pages without question": 0, "pages without document": 0}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Tables of two splits, one page of which has no document."""
    data = [question(n, files=["A.txt", "Gone.txt"]) for n in range(3)]
    entries = [
        ("qa/wikipedia-train.json", qa_file(data)),
        ("qa/wikipedia-dev.json", qa_file([question(7, files=["A.txt"])])),
        ("evidence/wikipedia/A.txt", b"text"),
    ]
    archive = write_tar_gz(tmp_path / "a.tar.gz", entries)
    build_tables(dataset="trivia", fmt="trivia_qa", raw={"a": archive}, tolerated=0.0, out=tmp_path / "out")
    return tmp_path / "out"


@pytest.mark.parametrize(
    ("file", "column", "value", "broken"),
    [
        ("answers/wikipedia-train", "row_id", "trivia/wikipedia-dev/tc_7", "answers without question"),
        ("pages/wikipedia-train", "row_id", "trivia/wikipedia-train/tc_99", "pages without question"),
        ("pages/wikipedia-dev", "evidence_id", "wikipedia/Gone.txt", "pages without document"),
    ],
)
def test_a_row_that_points_at_nothing_fails_the_check(
    out: Path, file: str, column: str, value: str, broken: str
) -> None:
    path = out / f"{file}.parquet"
    table = pl.read_parquet(path)
    first = pl.int_range(pl.len()) == 0
    table.with_columns(pl.when(first).then(pl.lit(value)).otherwise(column).alias(column)).write_parquet(path)
    check = foreign_keys_hold(out, ["wikipedia-train", "wikipedia-dev"])
    assert (check.passed, check.blocking, check.metadata) == (False, True, FINE | {broken: 1})


def test_tables_that_point_at_what_is_there_pass(out: Path) -> None:
    check = foreign_keys_hold(out, ["wikipedia-train", "wikipedia-dev"])
    assert (check.passed, check.metadata) == (True, FINE)
