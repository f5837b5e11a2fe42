"""A study of five runs, scored for real: the arguments that its report is written from."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from runs import described

from rc_pipeline.scoring.build import score

CHANCES = {"base": 0.28, "tuned": 0.81, "tuned--rank-2": 0.7, "tuned--loss_on-everything": 0.76}
EVAL_SETS = {"sample_cosmos/valid": "cosmos_qa", "sample_trivia/wikipedia-dev": "trivia_qa"}
OPTIONS = ["red door", "green door", "blue door", "no door"]
N = 150


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The arguments of write_report but for `out`."""
    root = tmp_path_factory.mktemp("study")
    return {
        "study": "demo", "title": "What a tiny model\nlearns", "description": "Two corpora, one <tiny> model.",
        "runs": [described(label) for label in CHANCES], "eval_sets": list(EVAL_SETS),
        "scores": {(run, on): scored(root, run, on) for run in CHANCES for on in EVAL_SETS},
        "training": {run: trained(root, run) for run in CHANCES if run != "base"},
        "datasets": {"sample_cosmos": {"format": "cosmos_qa", "sample": True},
                     "sample_trivia": {"format": "trivia_qa", "sample": True}},
        "families": {"rc_tiny": "llama"},
    }  # fmt: skip


def trained(root: Path, run: str) -> Path:
    chance = Random(run)
    loss = [[step, round(0.4 + 2.2 * math.exp(-step / 60) + chance.gauss(0, 0.08), 4)] for step in range(1, 301)]
    file = root / "adapters" / run / "training.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"steps": 300, "examples": 2400, "tokens": 345_678, "loss": loss}), encoding="utf-8")
    return file


def scored(root: Path, run: str, eval_set: str, n: int = N) -> Path:
    """Score made-up predictions of a run with the scorer itself; return the folder."""
    keys = [f"{eval_set}/{i}:ask" for i in range(n)]
    chance = Random(f"{run} on {eval_set}")
    picked = [0 if chance.random() < CHANCES[run] else chance.randrange(1, 4) for _ in keys]
    folder = root / "scores" / run / eval_set
    folder.mkdir(parents=True)
    choices = OPTIONS if EVAL_SETS[eval_set] == "cosmos_qa" else []
    instructions = pl.DataFrame(
        {
            "instruction_id": keys, "row_id": [key.removesuffix(":ask") for key in keys], "template": "ask",
            "instruction": "Which door?", "input": "A hall of doors.",
            "choices": [choices] * n, "gold_label": [0 if choices else None] * n, "gold_answers": [[OPTIONS[0]]] * n,
            "order": list(range(n)),
        },
        schema_overrides={"choices": pl.List(pl.String), "gold_label": pl.Int8},
    )  # fmt: skip
    predictions = pl.DataFrame(
        {
            "run": run, "eval_set": eval_set, "instruction_id": keys, "answer": [OPTIONS[at] for at in picked],
            "choice": picked if choices else [None] * n, "finished": True, "problem": None,
        },
        schema_overrides={"choice": pl.Int8, "problem": pl.String},
    )  # fmt: skip
    instructions.write_parquet(folder / "_instructions.parquet")
    predictions.write_parquet(folder / "_predictions.parquet")
    score(
        run=run, eval_set=eval_set, kind="choices" if choices else "trivia_qa", limit=None, seed=0, out=folder,
        predictions=folder / "_predictions.parquet", instructions=folder / "_instructions.parquet",
    )  # fmt: skip
    return folder
