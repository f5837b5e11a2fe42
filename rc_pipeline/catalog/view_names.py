"""Names of views in the warehouse: a dataset that bore one would have its rows mixed with others."""

from __future__ import annotations

from collections.abc import Collection

from rc_pipeline.lake.views import NAMES

SHARED = NAMES | {
    "dropped_rows", "lineage", "overlap_counts", "overlaps", "passage_recall", "quarantine_counts", "runs", "skipped",
}  # fmt: skip
OF_A_DATASET = ("answers", "document_passages", "evidence", "pages", "passages", "quarantine", "questions")


def taken_by(name: str, datasets: Collection[str]) -> str:
    """Return whose view has the name of a dataset, empty when no other has it."""
    if name in SHARED:
        return "all datasets"
    others = (name.removesuffix(f"_{ending}") for ending in OF_A_DATASET)
    return next((f"dataset {other}" for other in others if other != name and other in datasets), "")
