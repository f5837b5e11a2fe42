"""What must hold of passages before anything is made of them; the files that were written are what is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from rc_pipeline.lake.outcome import JSON, Check
from rc_pipeline.passages.questions import Split
from rc_pipeline.passages.units import Ints
from rc_pipeline.passages.writing import passage_of


def accounted_for(tables: Path, out: Path, splits: Sequence[str]) -> Check:
    """Check that each question of the tables has a passage or a reason why not, and one of them only."""
    lost: dict[str, JSON] = {}
    dropped = pl.read_parquet(out / "dropped.parquet")
    for split in splits:
        asked = pl.read_parquet(tables / "questions" / f"{split}.parquet", columns=["row_id"])["row_id"]
        given = pl.read_parquet(out / f"{split}.parquet", columns=["row_id"])["row_id"]
        found = pl.concat([given, dropped.filter(split=split)["row_id"]])
        if not found.sort().equals(asked.sort()):
            lost[split] = f"{asked.len()} questions, {given.len()} passages, {found.len() - given.len()} dropped"
    return Check(
        "every_question_is_accounted_for", not lost, True, "Each question has a passage or a reason for none.", lost
    )


def fit_the_budget(out: Path, splits: Sequence[str], tokens: int) -> Check:
    """Check that no passage is longer than the budget."""
    longer: dict[str, JSON] = {}
    for split in splits:
        found = pl.read_parquet(out / f"{split}.parquet", columns=["row_id", "tokens"]).filter(
            pl.col("tokens") > tokens
        )
        longer |= {str(row_id): int(many) for row_id, many in found.head(5).iter_rows()}
    return Check("passages_fit_the_budget", not longer, True, f"No passage has more than {tokens} tokens.", longer)


def slices_of_documents(out: Path, splits: Sequence[Split], sample: Ints, documents: Mapping[str, str]) -> Check:
    """Check on a sample that passages are what their windows are in the documents."""
    differ: list[JSON] = []
    looked_at = 0
    for split in splits:
        here = sample[(sample >= split.first) & (sample < split.first + len(split.row_ids))] - split.first
        rows = pl.scan_parquet(out / f"{split.name}.parquet").select("row_id", "passage", "windows")
        for row in rows.filter(pl.col("row_id").is_in(split.row_ids.gather(here).implode())).collect().to_dicts():
            looked_at += 1
            if _put_together(row["windows"], documents) != row["passage"]:
                differ.append(str(row["row_id"]))
    return Check(
        "windows_are_slices_of_their_documents",
        not differ and looked_at == len(sample),
        description="Sampled passages are, character for character, what their windows say in the documents.",
        metadata={"passages": looked_at, "differ": differ},
    )


def _put_together(windows: Sequence[Mapping[str, Any]], documents: Mapping[str, str]) -> str:
    found: list[str] = []
    for before, window in pairwise([None, *windows]):
        assert window is not None  # noqa: S101 - only the first of the list is
        text = documents[window["evidence_id"]][window["start"] : window["end"]]
        if before and (before["evidence_id"], before["end"]) == (window["evidence_id"], window["start"]):
            found[-1] += text
        else:
            found.append(text)
    return passage_of(found)
