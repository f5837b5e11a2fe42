from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from polars.testing import assert_frame_equal
from safetensors.torch import load_file, save_file

from rc_pipeline.prediction import choices, generation
from rc_pipeline.prediction.answering import DoesNotFit, NoNumbers
from tests.prediction.test_run import mixed, predictions, run, spec_of


def with_room_for(rows: int, work: Callable[..., Any]) -> Callable[..., Any]:
    def small(model: Any, prompts: list[list[int]], *told: Any, **named: Any) -> Any:
        if len(prompts) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return work(model, prompts, *told, **named)

    return small


def no_room(rows: int, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(choices, "log_likelihoods", with_room_for(rows, choices.log_likelihoods))
    patch.setattr(generation, "generate", with_room_for(rows, generation.generate))


def test_a_batch_without_room_is_halved_and_says_the_same(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = spec_of(llama, tmp_path / "whole", mixed())
    run(whole)
    halved = spec_of(llama, tmp_path / "halved", mixed())

    no_room(3, monkeypatch)
    run(halved)

    assert_frame_equal(predictions(halved), predictions(whole), abs_tol=1.5e-5, rel_tol=0)


def test_a_prompt_without_room_even_alone_is_an_error_with_a_remedy(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_room(0, monkeypatch)

    with pytest.raises(DoesNotFit, match=r"A prompt of \d+ tokens .*Lower answer\.max_tokens"):
        run(spec_of(llama, tmp_path, mixed()))


def test_a_model_whose_probabilities_are_no_numbers_answers_nothing(llama: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(llama, broken)
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"] *= float("nan")
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(NoNumbers, match="its weights are damaged"):
        run(spec_of(broken, tmp_path, mixed()))
    assert not list((tmp_path / "cache").rglob("*.jsonl"))
