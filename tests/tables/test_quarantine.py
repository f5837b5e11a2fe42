from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from rc_pipeline.corpora.readers import BadRow
from rc_pipeline.tables import quarantine as module
from rc_pipeline.tables.quarantine import Quarantine, TablesError


def bad(line: int, reason: str = "empty_text") -> BadRow:
    return BadRow(reason, "a.csv", line, "text", "", {"text": "", "line": line})


def test_every_table_has_a_file_of_its_own_and_one_view_holds_them_all(tmp_path: Path) -> None:
    quarantine = Quarantine("quiz", 0.5, tmp_path)
    quarantine.add("quiz_pages", "train", bad(3))
    quarantine.count_good("quiz_pages", "train", 3)
    quarantine.count_good("quiz_questions", "train", 9)
    views = quarantine.write(tmp_path)
    assert views["quiz_pages_quarantine"] == ["quarantine/quiz_pages.parquet"]
    assert views["quiz_questions_quarantine"] == ["quarantine/quiz_questions.parquet"]
    both = ["quarantine/quiz_pages.parquet", "quarantine/quiz_questions.parquet"]
    assert views["quarantine"] == views["quiz_quarantine"] == both
    rows = pl.read_parquet([tmp_path / name for name in both])
    assert rows.select("table", "source_file", "source_line", "reason").rows() == [
        ("quiz_pages", "a.csv", 3, "empty_text")
    ]


def test_rows_are_counted_by_reason_beside_those_that_were_kept(tmp_path: Path) -> None:
    quarantine = Quarantine("quiz", 0.5, tmp_path)
    for line in range(3):
        quarantine.add("quiz", "train", bad(line, "short_row" if line else "bad_utf8"))
    quarantine.count_good("quiz", "train", 7)
    quarantine.write(tmp_path)
    counts = pl.read_parquet(tmp_path / "quarantine_counts.parquet")
    assert counts.select("table", "split", "reason", "rows", "of_rows", "tolerated").rows() == [
        ("quiz", "train", None, 7, 10, 0.5),
        ("quiz", "train", "bad_utf8", 1, 10, 0.5),
        ("quiz", "train", "short_row", 2, 10, 0.5),
    ]
    assert quarantine.rows_read("quiz", "train") == 10


def test_many_bad_rows_go_to_disk_in_order_and_none_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_ROWS", 4)
    quarantine = Quarantine("quiz", 1.0, tmp_path)
    for line in range(11):
        quarantine.add("quiz", "train", bad(line))
        assert sum(len(rows) for rows in quarantine._waiting.values()) < 4
    quarantine.write(tmp_path)
    assert pl.read_parquet(tmp_path / "quarantine" / "quiz.parquet")["source_line"].to_list() == list(range(11))


def test_the_first_failures_are_shown_and_the_others_counted(tmp_path: Path) -> None:
    quarantine = Quarantine("quiz", 0.01, tmp_path)
    for line in range(8):
        quarantine.add("quiz", "train", bad(line))
    quarantine.count_good("quiz", "train", 92)
    with pytest.raises(TablesError) as raised:
        quarantine.refuse_too_many()
    lines = str(raised.value).splitlines()
    assert "8 of 100 rows are bad (8.0%; tolerated_bad_rows is 1.0%)" in lines[0]
    assert lines[1] == "  a.csv, line 0: text is '' (empty_text). Fill in the text, or remove the row."
    assert lines[-1] == "  … and 3 more"
