"""Items and tables to judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from rc_pipeline.judging.items import Item
from rc_pipeline.lake.code import PROJECT

CATALOG = PROJECT / "catalog"
RUNS = ("base", "tuned")


def item(key: str = "d/valid/0", *answers: str, **more: Any) -> Item:
    told = {"cluster": key, "question": "Who won?", "passage": "Ada won.", "accepted": ("Ada",)} | more
    return Item(key=key, instruction_id=f"{key}:ask", answers=answers or ("Ada", "Ben"), **told)


def instructions(count: int, **changes: Any) -> pl.DataFrame:
    """Return rows whose passages stand within their inputs; every two share a passage."""
    rows = [
        {
            "instruction_id": f"d/valid/{n}:ask", "row_id": f"d/valid/{n}", "template": "ask",
            "instruction": "Answer.", "input": f"Ada has {n} owls.\n\nQuestion: how many?", "passage_start": 0,
            "passage_end": len(f"Ada has {n} owls."), "choices": None, "gold_label": None,
            "gold_answers": [str(n)], "order": n, "group": f"g{n // 2}",
        } | changes
        for n in range(count)
    ]  # fmt: skip
    kinds = {"choices": pl.List(pl.String), "gold_label": pl.Int8, "order": pl.UInt64}
    return pl.DataFrame(rows, schema_overrides=kinds)


def predictions(run: str, asked: pl.DataFrame, answers: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "run": run, "eval_set": "d/valid", "instruction_id": asked["instruction_id"], "answer": answers,
            "choice": None, "finished": True, "problem": None,
        },
        schema_overrides={"choice": pl.Int8, "problem": pl.String, "answer": pl.String},
    )  # fmt: skip


def written(frame: pl.DataFrame, path: Path) -> Path:
    frame.write_parquet(path)
    return path
