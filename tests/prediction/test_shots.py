"""Solved examples on their way into prompts, in training and in prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.instructions.shots import ShotsError, with_shots
from rc_pipeline.models.loading import load_tokenizer
from rc_pipeline.prediction.questions import read_questions
from rc_pipeline.prompting.reading import read_prompt
from rc_pipeline.training.examples import encode_examples
from tests.models.tiny_models import PROMPT, instructions, write_instructions
from tests.prediction.test_run import predictions, run, spec_of


def asked(folder: Path, count: int, **changes: Any) -> dict[str, Any]:
    pool = instructions(9).with_columns(system=pl.lit(None, dtype=pl.String))
    files = {"toy": [write_instructions(folder / "shots.parquet", pool)]}
    return {"shots": count, "shots_by": "random", "shot_rows": [], "seed": 0, "files": files} | changes


def test_rows_of_a_dataset_without_fixed_examples_are_told(tmp_path: Path) -> None:
    with pytest.raises(ShotsError, match="none is of toy, which is asked too; add 2"):
        next(with_shots(instructions(1), asked(tmp_path, 2, shots_by="fixed", shot_rows=["other/train/1"])))


def test_the_same_row_has_the_same_prompt_in_training_and_in_prediction(llama: Path, tmp_path: Path) -> None:
    tokenizer, rows = load_tokenizer(llama), instructions(12)
    form, plan = read_prompt(PROMPT, tokenizer), asked(tmp_path, 2)
    taught = encode_examples(rows, {}, tokenizer, form, max_tokens=200, loss_on="answer", shots=plan)
    questions = read_questions(rows, tokenizer, form, max_tokens=200, max_new_tokens=6, shots=plan)
    prompts = [list(example.ids[: example.prompt_tokens]) for example in taught.encoded]
    assert prompts == [question.prompt_ids for question in questions]
    text = tokenizer.decode(prompts[-1])
    assert text.count("Answer:") == 3
    bare = read_questions(rows, tokenizer, form, max_tokens=200, max_new_tokens=6)
    assert all(len(long.prompt_ids) > len(short.prompt_ids) for long, short in zip(questions, bare, strict=True))


def test_examples_that_do_not_fit_are_left_out_and_counted(llama: Path, tmp_path: Path) -> None:
    spec = spec_of(llama, tmp_path, instructions(6), shots=asked(tmp_path, 4), context_tokens=60)
    outcome = run(spec)
    found = predictions(spec)
    assert found["problem"].null_count() == 6
    assert found["shots_dropped"].sum() == outcome.metadata["shots_dropped"] > 0
    assert found["prompt_tokens"].max() <= 54
