"""What must hold of passages before anything is made of them; the files that were written are what is checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from rc_pipeline.lake.outcome import JSON, Check
from rc_pipeline.passages.questions import Split
from rc_pipeline.passages.units import Ints
from rc_pipeline.passages.writing import passage_of


def accounted_for(tables: Path, out: Path, splits: Sequence[Split]) -> Check:
    """Check that each question of the tables has a passage or a reason why not, and one of them only."""
    lost: dict[str, JSON] = {}
    dropped = pl.read_parquet(out / "dropped.parquet")
    for split in splits:
        asked = pl.read_parquet(tables / "questions" / f"{split.name}.parquet", columns=["row_id"])["row_id"]
        of = ["row_id"] if split.documents is None else ["row_id", "document"]
        given = pl.read_parquet(out / f"{split.name}.parquet", columns=of)
        found = pl.concat([given, dropped.filter(split=split.name).select(of)])
        if found.is_duplicated().any() or not found["row_id"].unique().sort().equals(asked.sort()):
            lost[split.name] = (
                f"{asked.len()} questions, {given.height} passages, {found.height - given.height} dropped"
            )
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
        for row in _sampled(out / f"{split.name}.parquet", split, here):
            looked_at += 1
            if _put_together(row["windows"], documents) != row["passage"]:
                differ.append(str(row["row_id"]))
    return Check(
        "windows_are_slices_of_their_documents",
        not differ and looked_at == len(sample),
        description="Sampled passages are, character for character, what their windows say in the documents.",
        metadata={"passages": looked_at, "differ": differ},
    )


def _sampled(path: Path, split: Split, places: Ints) -> Iterator[dict[str, Any]]:
    named = {"row_id": split.row_ids} | ({} if split.documents is None else {"document": split.documents})
    wanted = pl.LazyFrame({name: values.gather(places) for name, values in named.items()})
    rows = pl.scan_parquet(path).join(wanted, on=list(named), how="semi")
    yield from rows.select("row_id", "passage", "windows").collect().iter_rows(named=True)


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
