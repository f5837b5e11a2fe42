from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rc_pipeline.training.memory import (
    OutOfMemory,
    cached_tokens,
    halved,
    is_out_of_memory,
    tokens_that_fit,
    usable_bytes,
)
from rc_pipeline.worker import Progress
from tests.models.tiny_models import instructions, training_spec
from tests.training.test_run import trainer_of


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


def test_logits_everywhere_leave_room_for_fewer_tokens() -> None:
    sizes = {"layers": 12, "width": 768}
    assert tokens_that_fit(2**33, **sizes, logits=50_257) < tokens_that_fit(2**33, **sizes)
    assert usable_bytes(torch.device("cpu")) == usable_bytes(torch.device("cpu")) > 2**28
