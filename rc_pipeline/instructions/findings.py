"""What an instruction set says of itself: figures and examples for people, and checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from rc_pipeline.instructions.writing import Written
from rc_pipeline.lake.frames import preview
from rc_pipeline.lake.outcome import JSON, Check
from rc_pipeline.xray.preview import preview_markdown

# Ids would leave the texts no room.
PREVIEWED = ("template", "instruction", "input", "output")


def metadata(written: Sequence[Written], out: Path) -> dict[str, JSON]:
    """Return how many rows became what, why others did not, and an example of every template."""
    reasons = Counter(reason for each in written for _, _, reason in each.dropped)
    shares = {f"{each.split}: {name}": count for each in written for name, count in each.templates.items()}
    return {
        **{f"rows: {each.split}": each.kept for each in written},
        **{f"template: {name}": count for name, count in sorted(shares.items())},
        **{f"dropped: {reason}": count for reason, count in sorted(reasons.items())},
        "dropped": sum(reasons.values()),
        "examples": {"markdown": _examples(written, out)},
        "preview": preview(pl.scan_parquet(out / f"{written[0].split}.parquet").select(PREVIEWED).head(5).collect()),
    }


def _examples(written: Sequence[Written], out: Path) -> str:
    """Return the first instruction of every template, its passage marked."""
    files = [out / f"{each.split}.parquet" for each in written]
    firsts = pl.concat([pl.scan_parquet(file).unique("template", keep="first") for file in files], how="diagonal")
    rows = firsts.unique("template", keep="first", maintain_order=True).sort("template").collect()
    return preview_markdown(rows.iter_rows(named=True))


def checks(written: Sequence[Written], out: Path) -> tuple[Check, ...]:
    """Return the verdicts: no row lost, no id twice, no split empty, every passage can be cut."""
    lost = [each.split for each in written if each.rows != each.kept + len(each.dropped)]
    ids = pl.concat([pl.scan_parquet(out / f"{each.split}.parquet").select("instruction_id") for each in written])
    rows, distinct = ids.select(pl.len().alias("rows"), ids=pl.col("instruction_id").n_unique()).collect().row(0)
    unplaced = sum((each.unplaced for each in written), Counter[str]())
    empty: list[JSON] = [each.split for each in written if not each.kept]
    return (
        Check(
            "every_row_is_accounted_for", not lost, description="Each row is an instruction or dropped for a reason."
        ),
        Check("instruction_ids_are_unique", rows == distinct, description="An id names one instruction."),
        Check("no_split_is_empty", not empty, False, "Every split has rows left.", {"empty": empty}),
        Check(
            "passages_can_be_cut",
            not unplaced,
            blocking=False,
            description="The input shows the passage in one piece, so that it can be cut where a prompt is too long.",
            metadata=dict(sorted(unplaced.items())),
        ),
    )
