from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rc_pipeline.training.memory import (
    MICRO_BATCH_TOKENS,
    OutOfMemory,
    cached_tokens,
    halved,
    is_out_of_memory,
    tokens_that_fit,
    usable_bytes,
)
from rc_pipeline.training.shapes import Shape, read_shape
from rc_pipeline.worker import Progress
from tests.models.tiny_models import instructions, training_spec
from tests.training.configs import MINICPM_CONFIG
from tests.training.test_run import trainer_of

MINICPM = read_shape(MINICPM_CONFIG)
LORA = {"method": "lora", "rank": 8, "targets": "all-linear"}


def short_of_memory(trainer: Any, most_tokens: int) -> None:
    """Let passes of more than so many tokens fail as a GPU's allocator does."""

    def refuse(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        if kwargs["input_ids"].numel() > most_tokens:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    trainer.model.register_forward_pre_hook(refuse, with_kwargs=True)


def test_an_example_that_does_not_fit_alone_names_what_helps(llama: Path, tmp_path: Path) -> None:
    trainer = trainer_of(training_spec(llama, tmp_path, instructions(8)), tmp_path)
    short_of_memory(trainer, 5)

    with pytest.raises(OutOfMemory, match=r"example of \d+ tokens.*gradient_checkpointing.*max_tokens.*qlora"):
        trainer.run(Progress("training", [].append), [].append)


def test_other_errors_are_no_want_of_memory() -> None:
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))


def test_an_allocation_that_fails_on_a_cpu_is_told_apart() -> None:
    with pytest.raises(RuntimeError) as failed:
        torch.empty(2**60, dtype=torch.uint8)

    assert is_out_of_memory(failed.value)


def test_out_of_memory_halves_the_passes_and_changes_no_loss(llama: Path, tmp_path: Path) -> None:
    spec = training_spec(llama, tmp_path, instructions(32), batch_size=16)
    plenty, short = (trainer_of(spec, tmp_path / name) for name in "ab")
    short_of_memory(short, 200)
    said: list[str] = []

    losses = plenty.run(Progress("training", [].append), print).losses

    assert short.run(Progress("training", [].append), said.append).losses == pytest.approx(losses, abs=1e-4)
    assert any("out of memory in step 1: goes on with" in line for line in said)
    assert short.micro_batch_tokens <= 200


def test_a_cpu_takes_fewer_tokens_at_a_time_the_wider_the_model() -> None:
    assert cached_tokens(128) == 4096
    assert cached_tokens(4096) == 128
    assert cached_tokens(2**30) == 1


def test_the_largest_part_is_halved() -> None:
    assert halved([[0, 1], [2]], [30, 40, 100]) == 40
    with pytest.raises(OutOfMemory, match="100 tokens"):
        halved([[0], [2]], [30, 40, 100])


def fitting(gibibytes: float, shape: Shape = MINICPM, *, checkpointing: bool = False, **more: Any) -> int:
    given = {"row_tokens": 512, "learned": 0.05, "bf16": True} | more
    return tokens_that_fit(int(gibibytes * 2**30), shape, LORA, checkpointing=checkpointing, **given)


def test_a_pass_holds_no_more_tokens_than_there_is_memory_for() -> None:
    assert fitting(0) == 1
    assert 500 < fitting(4) < 1200
    assert fitting(80) > 16_000
    assert fitting(4, bf16=False) < fitting(4, learned=1.0) < fitting(4) < fitting(4, checkpointing=True)


def test_gradients_and_moments_to_come_are_kept_room_for() -> None:
    assert (
        tokens_that_fit(
            30 * 2**30, MINICPM, {"method": "full"}, row_tokens=512, learned=0.05, bf16=True, checkpointing=False
        )
        == 1
    )


def test_activations_are_computed_twice_only_where_a_row_would_not_fit_otherwise(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = training_spec(llama, tmp_path, instructions(8))
    found = {}
    for free in (350_000, 300_000_000):
        monkeypatch.setattr("rc_pipeline.training.memory.usable_bytes", lambda _, free=free: free)
        found[free] = trainer_of(spec, tmp_path)

    short, plenty = found.values()
    assert short.model.get_base_model().is_activation_checkpointing
    assert max(short.lengths) <= short.micro_batch_tokens < 200
    assert not plenty.model.get_base_model().is_activation_checkpointing
    assert plenty.micro_batch_tokens == MICRO_BATCH_TOKENS


def test_a_model_of_unknown_sizes_begins_with_the_most_and_halves(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rc_pipeline.training.memory.read_shape", read_shape_of_experts)

    assert (
        trainer_of(training_spec(llama, tmp_path, instructions(8)), tmp_path).micro_batch_tokens == MICRO_BATCH_TOKENS
    )


def read_shape_of_experts(config: dict[str, Any]) -> Shape:
    return read_shape(config | {"num_experts": 8})


def test_what_is_usable_of_a_cpu_is_always_the_same() -> None:
    assert usable_bytes(torch.device("cpu")) == usable_bytes(torch.device("cpu")) > 2**28
