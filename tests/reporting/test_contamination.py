"""Full and clean scores side by side in the report."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from runs import write_report

from rc_pipeline.reporting.build import ReportError

KINDS = {"same_passage": range(10), "near_duplicate": range(5, 15)}


def overlaps(path: Path, rows: dict[str, range]) -> Path:
    found = [
        {
            "eval_set": "sample_cosmos/valid",
            "row_id": f"sample_cosmos/valid/{n}",
            "kind": kind,
            "train_dataset": "stories",
        }
        for kind, numbers in rows.items()
        for n in numbers
    ]
    schema = dict.fromkeys(("eval_set", "row_id", "kind", "train_dataset"), pl.String)
    pl.DataFrame(found, schema=schema).write_parquet(path)
    return path


def test_overlaps_that_cannot_be_read_are_named(study: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"gone\.parquet: overlaps cannot be read"):
        write_report(**study, overlaps=[tmp_path / "gone.parquet"], out=tmp_path / "out")


def test_a_study_that_compared_nothing_says_nothing_and_one_that_found_nothing_says_so(
    study: dict[str, Any], tmp_path: Path
) -> None:
    write_report(**study, out=tmp_path / "silent")
    assert "Seen in training" not in (tmp_path / "silent" / "report.md").read_text()
    write_report(**study, overlaps=[overlaps(tmp_path / "none.parquet", {})], out=tmp_path / "out")
    assert "No evaluation row was found among the training rows" in (tmp_path / "out" / "report.md").read_text()


def test_every_score_stands_beside_the_one_over_unseen_questions(study: dict[str, Any], tmp_path: Path) -> None:
    outcome = write_report(**study, overlaps=[overlaps(tmp_path / "o.parquet", KINDS)], out=tmp_path / "out")
    text = (tmp_path / "out" / "report.md").read_text()
    assert "| sample_cosmos/valid | stories | near duplicate | 10 |" in text
    assert "| sample_cosmos/valid | stories | same passage | 10 |" in text
    assert "seen_in_training" in outcome.metadata
    questions = pl.read_parquet(study["scores"]["tuned", "sample_cosmos/valid"] / "questions.parquet")
    hidden = [f"sample_cosmos/valid/{n}" for n in range(15)]
    whole = 100 * questions["correct"].mean()  # type: ignore[operator]
    clean = 100 * questions.filter(~pl.col("row_id").is_in(hidden))["correct"].mean()  # type: ignore[operator]
    row = re.search(
        r"\| `tuned` \| sample_cosmos/valid accuracy \| (\S+) \[.*?\] \| (\S+) \[.*?\] \| 150 \| 135 \|", text
    )
    assert row
    assert (float(row[1]), float(row[2])) == (round(whole, 1), round(clean, 1))
    assert "sample_trivia/wikipedia-dev exact match | " not in text.partition("### Seen")[2].partition("## Con")[0]
