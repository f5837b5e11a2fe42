from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rc_pipeline.models.loading import load_model
from rc_pipeline.training.objective import Objective
from rc_pipeline.training.packed_attention import NAME, keep_rows_apart, rows_of
from tests.models.tiny_models import instructions, training_spec
from tests.training.peak import Peak
from tests.training.test_objective import loss_and_gradients
from tests.training.test_run import trainer_of


def test_a_window_of_attention_stays_with_its_mask() -> None:
    import transformers as t

    config = t.MistralConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=50, sliding_window=3,
    )  # fmt: skip
    model = t.MistralForCausalLM(config)
    keep_rows_apart(model)

    assert model.config._attn_implementation != NAME


def test_a_row_alone_and_padded_rows_have_no_places_to_look_up() -> None:
    assert rows_of(torch.arange(5)[None]) is None
    assert rows_of(torch.arange(5).expand(2, 5)) is None


def test_every_token_has_one_place_and_every_other_place_is_blank() -> None:
    rows = rows_of(torch.tensor([[0, 1, 2, 0, 0, 1]]))

    assert rows is not None
    assert rows.shape == (3, 3)
    assert rows.tokens.tolist() == [0, 1, 2, 3, 0, 0, 4, 5, 0]
    assert rows.places.tolist() == [0, 1, 2, 3, 6, 7]
    assert rows.blank.tolist() == [False, False, False, False, True, True, False, False, True]


@pytest.mark.parametrize("method", [{"method": "lora"}, {"method": "full"}, {"gradient_checkpointing": True}])
def test_packed_rows_have_the_loss_and_the_gradients_they_have_alone(
    family_base: tuple[str, Path], tmp_path: Path, method: dict[str, Any]
) -> None:
    spec = training_spec(family_base[1], tmp_path, instructions(7), packing=True, loss_on="everything", **method)
    trainer = trainer_of(spec, tmp_path)
    assert trainer.model.config._attn_implementation == NAME
    for part in trainer.model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    with torch.no_grad():
        for name, weight in trainer.weights.items():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    rows = list(trainer.examples)
    trainer.model.train()

    packed, packed_gradients = loss_and_gradients(trainer, Objective(0, packing=True), rows)
    apart = [loss_and_gradients(trainer, Objective(0), [row]) for row in rows]

    assert packed == pytest.approx(sum(loss for loss, _ in apart), rel=1e-6)
    wanted = torch.stack([gradients for _, gradients in apart]).sum(0)
    torch.testing.assert_close(packed_gradients, wanted, rtol=1e-3, atol=1e-4 * wanted.abs().max().item())


def test_twice_as_many_packed_rows_take_twice_the_memory_and_not_four_times(llama: Path) -> None:
    def most(count: int, *, apart: bool) -> int:
        model = load_model(llama, family="llama").requires_grad_(True)
        if apart:
            keep_rows_apart(model)
        positions = torch.arange(32).repeat(count)[None]
        with Peak(model.parameters()) as peak:
            model(input_ids=torch.ones_like(positions), position_ids=positions, use_cache=False).logits.sum().backward()
        return peak.most

    few, many, masked = most(40, apart=True), most(80, apart=True), most(80, apart=False)

    assert many < 2.1 * few
    assert masked > 1.5 * many
