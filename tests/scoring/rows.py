"""Instructions and predictions, one row at a time, in the columns that the stages write."""

from __future__ import annotations

from typing import Any

import polars as pl

SAID_SCHEMA = {
    "run": pl.String, "eval_set": pl.String, "instruction_id": pl.String, "row_id": pl.String, "answer": pl.String,
    "choice": pl.Int8, "finished": pl.Boolean, "problem": pl.String, "answer_logprob": pl.Float32,
    "gold_logprob": pl.Float32, "gold_tokens": pl.Int32,
}  # fmt: skip
ASKED_SCHEMA = {
    "instruction_id": pl.String, "row_id": pl.String, "template": pl.String, "choices": pl.List(pl.String),
    "gold_label": pl.Int8, "gold_answers": pl.List(pl.String), "order": pl.UInt64,
    "group": pl.String, "question": pl.String, "passage_words": pl.Int32, "answer_keys": pl.List(pl.String),
    "output": pl.String,
}  # fmt: skip


def asked(key: str, **fields: Any) -> dict[str, Any]:
    return {
        "instruction_id": f"{key}:t", "row_id": key, "template": "t", "choices": [], "gold_label": None,
        "gold_answers": [], "order": 0, **fields,
    }  # fmt: skip


def multiple_choice(key: str, gold: int | None, order: int = 0) -> dict[str, Any]:
    options = ["red", "green", "blue", "none"]
    return asked(
        key, choices=options, gold_label=gold, gold_answers=[] if gold is None else [options[gold]], order=order
    )


def said(key: str, answer: str | None, **fields: Any) -> dict[str, Any]:
    return {
        "run": "tuned", "eval_set": "set/valid", "instruction_id": f"{key}:t", "row_id": key, "answer": answer,
        "choice": None, "finished": True, "problem": None, **fields,
    }  # fmt: skip
