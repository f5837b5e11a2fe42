"""Instructions as the stage writes them: two templates, some with system and history, some without an answer."""

from __future__ import annotations

from typing import Any

import polars as pl

TEXT = '他说："{{ x }}"\n\t\\n 🙂 </s> | \u2028 é'


def instruction(split: str, n: int, **more: Any) -> dict[str, Any]:
    row = {
        "instruction_id": f"{split}/{n}:{'first' if n % 3 else 'second'}",
        "row_id": f"{split}/{n}",
        "dataset": "talks",
        "split": split,
        "template": "first" if n % 3 else "second",
        "language": "zh",
        "system": f"You are number {n}." if n % 4 == 1 else None,
        "history": [[f"question {n}", "答"], [TEXT, "two"]] if n % 5 == 1 else [],
        "instruction": f"Say {n}. {TEXT}",
        "input": "" if n % 2 else f"input {n}\n{TEXT}",
        "passage_start": -1,
        "passage_end": -1,
        "output": f"0{n} {TEXT}",
        "choices": [],
        "gold_label": None,
        "gold_answers": [str(n)],
        "group": "g",
        "order": (n * 7919) % 101,
    }
    return row | more


SCHEMA = {
    "system": pl.String, "history": pl.List(pl.List(pl.String)), "output": pl.String, "choices": pl.List(pl.String),
    "gold_label": pl.Int8, "order": pl.UInt64,
}  # fmt: skip
