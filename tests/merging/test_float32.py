from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from rc_pipeline.merging.float32 import in_float32
from rc_pipeline.merging.weights import open_weights
from tests.models.upstream import WRITERS, artifact, write_flan_t5

LAYOUTS = {**WRITERS, "flan": write_flan_t5}


def said(model: Any) -> torch.Tensor:
    asked = {"input_ids": torch.arange(5, 40)[None]}
    if model.config.is_encoder_decoder:
        asked["decoder_input_ids"] = torch.arange(9)[None]
    with torch.no_grad():
        return model(**asked).logits  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_narrow_model_computes_as_if_it_were_wide_and_stays_narrow(tmp_path: Path, name: str) -> None:
    upstream = LAYOUTS[name](tmp_path / name)
    model = open_weights(artifact(upstream, tmp_path / "base"), upstream.family).bfloat16()

    with in_float32(model):
        found = said(model)

    assert torch.equal(found, said(copy.deepcopy(model).float()))
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}


def test_a_pass_that_fails_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    upstream = WRITERS["llama2"](tmp_path / "llama")
    model = open_weights(artifact(upstream, tmp_path / "base"), "llama").bfloat16()

    with pytest.raises(IndexError), in_float32(model):
        model(input_ids=torch.tensor([[10_000]]))

    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
