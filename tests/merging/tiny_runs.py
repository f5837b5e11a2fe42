"""A run from training to scores on tiny models, as its assets do it, and the spec that merges it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from rc_pipeline.prediction.run import predict
from rc_pipeline.scoring.build import score
from rc_pipeline.training.run import train
from rc_pipeline.worker import Progress
from tests.models.tiny_models import PROMPT, instructions, training_spec, write_instructions

QUIET = Progress("merging", [].append)
ANSWER: dict[str, Any] = {"max_new_tokens": 6, "batch_size": 8, "max_tokens": None}
CARD: dict[str, Any] = {
    "title": "Tiny, tuned",
    "base": {
        "title": "Tiny",
        "homepage": "https://huggingface.co/somebody/tiny",
        "license": "Tiny License",
        "name": "tiny",
        "source": {},
    },
    "training": {"steps": 2, "examples": 8},
    "contents": {"adapters/tuned": "0" * 64},
}


def asked(count: int = 6) -> pl.DataFrame:
    """Return questions, half with options and half without."""
    half = count // 2
    with_options = instructions(half, choices=True, dataset="toy", split="valid")
    return pl.concat([with_options, instructions(half, dataset="free", split="valid")])


def train_tiny(
    base: Path, family: str, folder: Path, rows: int = 8, prompt: dict[str, Any] = PROMPT, **tune: Any
) -> dict[str, Any]:
    """Train a few steps and return the spec of the training."""
    spec = training_spec(base, folder, instructions(rows), **tune)
    spec |= {"base": {"name": "tiny", "folder": str(base), "family": family}, "prompt": prompt}
    outcome = train(spec, QUIET)
    assert {check.name: check.metadata for check in outcome.checks if not check.passed} == {}
    return spec


def ask_tiny(spec: dict[str, Any], folder: Path, frame: pl.DataFrame, **changes: Any) -> dict[str, Any]:
    """Ask a trained run and score it; return what the merging is told of it."""
    prediction = {
        "run": "tuned",
        "eval_set": "toy/valid",
        "base": spec["base"],
        "adapter": spec["out"],
        "prompt": spec["prompt"],
        "instructions": [write_instructions(folder / "valid.parquet", frame)],
        "rows": None,
        "shots": None,
        "answer": ANSWER,
        "context_tokens": 128,
        "weights": "w",
        "cache": str(folder / "cache"),
        "cache_salt": "s",
        "threads": 1,
        "out": str(folder / "asked"),
    } | changes
    predict(prediction, QUIET)
    scoring = {"run": "tuned", "eval_set": "toy/valid", "kind": "trivia_qa", "about": {}, "seed": 0}
    stored = Path(prediction["out"]) / "predictions.parquet"
    score(
        **scoring,
        predictions=stored,
        instructions=folder / "valid.parquet",
        limit=None,
        out=folder / "scored",
    )
    return {
        "prediction": prediction,
        "predictions": str(stored),
        "scores": str(folder / "scored" / "scores.parquet"),
        "scoring": scoring,
    }


def merging_spec(spec: dict[str, Any], folder: Path, dtype: str = "fp32", **changes: Any) -> dict[str, Any]:
    """Ask a trained run and return the spec that merges it."""
    return {
        "run": "tuned",
        "dtype": dtype,
        "context_tokens": 128,
        "base": spec["base"],
        "adapter": spec["out"],
        "asked": [ask_tiny(spec, folder, asked(), **changes)],
        "card": CARD
        | {"tune": spec["tune"], "data": [{"title": "Toys", "name": "toy", "homepage": "", "license": "", "rows": 8}]},
        "out": str(folder / "merged"),
        "scratch": str(folder / "merging"),
        "threads": 1,
    }
