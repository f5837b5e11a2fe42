"""Edit anything in any order: the lake then says what one built from nothing says."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from small_study import SmallStudy

from rc_pipeline.lake.store import Store

EDITS = 4
BASE = "  demo_base:\n    model: rc_tiny\n"
# File, a text that stands there, and one to put in its place; an edit that was made is undone when it comes again.
WAYS = (
    ("tasks/sample_cosmos/choose.yaml", "Read the story and choose", "Choose"),
    ("tasks/sample_cosmos/choose.yaml", "without_passage: Choose the best", "without_passage: Guess the best"),
    ("tasks/sample_cosmos/which.yaml", "weight: 0.5", "weight: 2"),
    ("tasks/sample_trivia/answer.yaml", "Answer the question from", "Answer from"),
    ("prompts/brief.json", "### Input:", "### Text:"),
    ("models/rc_tiny.yaml", "context_tokens: 512", "context_tokens: 300"),
    ("datasets/sample_trivia.yaml", "seed: 7", "seed: 8"),
    ("studies/demo.yaml", "rank: 16", "rank: 4"),
    ("studies/demo.yaml", "- sample_cosmos/valid\n", "- sample_cosmos/valid.question_only\n"),
    ("studies/demo.yaml", BASE, BASE + "    answer: {choose_by: [written], max_new_tokens: 3}\n"),
    ("studies/demo.yaml", "runs:\n", "merge: {demo_tuned: bf16}\nruns:\n"),
    ("studies/demo.yaml", "runs:\n", "mixture: {languages: [en]}\nruns:\n"),
)


@pytest.mark.slow
def test_a_walk_of_edits_ends_where_a_build_from_nothing_does(
    study: SmallStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Typesetting the paper takes longer than all else, and what it prints is no content.
    monkeypatch.setenv("PATH", str(tmp_path))
    chance, made = random.Random(17), set[int]()
    for way in chance.choices(range(len(WAYS)), k=EDITS):
        file, old, new = WAYS[way]
        study.edit(file, *((new, old) if way in made else (old, new)))
        made ^= {way}
        study.run()
    assert made
    fresh = SmallStudy(study.catalog, tmp_path / "fresh")
    fresh.run()
    assert differing(study, fresh) == []


def differing(study: SmallStudy, fresh: SmallStudy) -> list[str]:
    """Return the keys of the study whose artifacts say something else than fresh ones."""
    now, wanted = Store(study.lake).all_heads(), Store(fresh.lake).all_heads()
    found = [key for key, artifact in wanted.items() if now[key].manifest.content != artifact.manifest.content]
    # Answers that another batch gave differ in the last digit of their probabilities, and by that what quotes them.
    rounded = {key for key in found if key.startswith("predictions/") and alike(now[key].folder, wanted[key].folder)}
    quoting = {"reports/demo", "merged/demo_tuned"} if rounded else set()
    return [key for key in found if key not in rounded | quoting]


def alike(one: Path, other: Path) -> bool:
    """Tell whether predictions are the same but for rounding."""
    frames = [pl.read_parquet(folder / "predictions.parquet").to_dicts() for folder in (one, other)]
    return len(frames[0]) == len(frames[1]) and all(map(_near, *frames))


def _near(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_near(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_near, one, other))
    return abs(one - other) < 1e-4 if isinstance(one, float) and isinstance(other, float) else bool(one == other)
