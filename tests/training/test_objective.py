from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from rc_pipeline.prompting.encoding import Encoded
from rc_pipeline.training.objective import Objective
from tests.models.tiny_models import instructions, training_spec
from tests.training.test_run import trainer_of

ROWS = [
    Encoded([1, 10, 11, 12, 13], masked=3, prompt_tokens=3),
    Encoded([1, 20, 21, 22, 23, 24, 25, 26], masked=1, prompt_tokens=5),
    Encoded([30, 31], masked=0, prompt_tokens=1),
]


class Uniform:
    """Knows nothing: its loss at a position is the logarithm of the vocabulary."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}

    def __call__(self, **given: Any) -> Any:
        self.given = given
        return type("Output", (), {"logits": torch.zeros(int(given["logits_to_keep"].sum()), 50)})


def loss_and_gradients(trainer: Any, objective: Objective, rows: list[Encoded]) -> tuple[float, torch.Tensor]:
    trainer.model.zero_grad()
    loss = objective.summed_loss(trainer.model, rows, training=True)
    loss.backward()
    return loss.item(), torch.cat([weight.grad.flatten() for weight in trainer.weights.values()])


@pytest.mark.parametrize("method", ["lora", "full"])
def test_packed_examples_have_the_loss_and_the_gradients_they_have_alone(
    family_base: tuple[str, Path], tmp_path: Path, method: str
) -> None:
    spec = training_spec(family_base[1], tmp_path, instructions(5), method=method, loss_on="everything")
    trainer = trainer_of(spec, tmp_path)
    with torch.no_grad():
        for name, weight in trainer.weights.items():
            # A fresh adapter's second matrix is zero, so that the first would have no gradient.
            if "lora_B" in name:
                weight.normal_(std=0.1)
    rows = list(trainer.examples)

    packed, packed_gradients = loss_and_gradients(trainer, Objective(0, packing=True), rows)
    apart = [loss_and_gradients(trainer, Objective(0), [row]) for row in rows]

    assert packed == pytest.approx(sum(loss for loss, _ in apart), rel=1e-6)
    wanted = torch.stack([gradients for _, gradients in apart]).sum(0)
    assert wanted.abs().max() > 0
    torch.testing.assert_close(packed_gradients, wanted, rtol=1e-3, atol=1e-4 * wanted.abs().max().item())


def test_logits_are_made_at_labels_alone() -> None:
    model = Uniform()

    loss = Objective(0).summed_loss(model, ROWS, training=True)

    assert model.given["logits_to_keep"].sum() == 2 + 7 + 1
    assert loss.item() == pytest.approx(10 * math.log(50))
    assert Objective(0).weight(ROWS) == 10
    assert "attention_mask" not in model.given


def test_a_packed_row_has_no_padding_and_no_label_across_examples() -> None:
    model = Uniform()

    Objective(0, packing=True).summed_loss(model, ROWS, training=True)

    assert model.given["input_ids"].tolist() == [[id for row in ROWS for id in row.ids]]
    assert model.given["position_ids"].tolist() == [[*range(5), *range(8), *range(2)]]
    assert not model.given["logits_to_keep"][0, [4, 12, 14]].any()


@pytest.mark.parametrize("packing", [False, True])
def test_tokens_of_the_prompt_count_what_they_are_told_to(packing: bool) -> None:
    objective = Objective(0, prompt_weight=0.25, packing=packing)

    loss = objective.summed_loss(Uniform(), ROWS, training=True)

    # Labelled: 2 of the answer; 4 of the prompt and 3 of the answer; 1 of the answer.
    assert objective.weight(ROWS) == 2 + 4 * 0.25 + 3 + 1
    assert loss.item() == pytest.approx(7 * math.log(50))


def test_noise_and_smoothing_belong_to_training_alone(llama: Path, tmp_path: Path) -> None:
    trainer = trainer_of(training_spec(llama, tmp_path, instructions(5)), tmp_path)
    trainer.model.eval()
    rows = list(trainer.examples)
    plain = Objective(0)

    for packing in (False, True):
        for each in (Objective(0, neftune_alpha=50.0, packing=packing), Objective(0, label_smoothing=0.3)):
            expected = plain.summed_loss(trainer.model, rows, training=False).item()
            assert each.summed_loss(trainer.model, rows, training=False).item() == pytest.approx(expected)
            assert abs(each.summed_loss(trainer.model, rows, training=True).item() - expected) > 1e-3


@pytest.mark.parametrize("packing", [False, True])
def test_noise_is_as_large_as_each_examples_own_length_says(packing: bool) -> None:
    width, objective = 64, Objective(0, neftune_alpha=5.0, packing=packing)
    shape = (1, 15, width) if packing else (3, 8, width)

    noise = objective._noisy(torch.zeros(shape), [len(row.ids) for row in ROWS])

    largest = noise[0, :5].abs().max() if packing else noise[0].abs().max()
    assert 0.95 < largest / (5 / math.sqrt(5 * width)) <= 1
    last = noise[0, 13:].abs().max() if packing else noise[2].abs().max()
    assert 0.95 < last / (5 / math.sqrt(2 * width)) <= 1


def test_bf16_products_come_close_to_fp32(llama: Path, tmp_path: Path) -> None:
    trainers = [
        trainer_of(training_spec(llama, tmp_path / name, instructions(5), precision=name), tmp_path / name)
        for name in ("fp32", "bf16")
    ]

    precise, coarse = (each.objective.summed_loss(each.model, each.examples, training=True).item() for each in trainers)

    assert trainers[1].objective.bf16
    assert all(weight.dtype == torch.float32 for weight in trainers[1].weights.values())
    assert 0 < abs(coarse - precise) < 0.05 * precise
