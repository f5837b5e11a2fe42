"""Models whose layers look back over a window: padding in between would move it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import torch

from rc_pipeline.models.loading import load_model
from rc_pipeline.prediction.choices import log_likelihoods
from tests.models.tiny_models import instructions, write_tokenizer
from tests.prediction.test_run import predictions, run, spec_of
from tests.prediction.test_scoring_and_generation import alone


@pytest.fixture(scope="module")
def mistral(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import MistralConfig, MistralForCausalLM

    folder = tmp_path_factory.mktemp("models") / "mistral"
    folder.mkdir()
    write_tokenizer(folder)
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=330, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, sliding_window=8, eos_token_id=2,
    )  # fmt: skip
    model = MistralForCausalLM(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4.0) if weight.ndim > 1 else weight
    model.save_pretrained(folder)
    return folder


def test_options_behind_a_window_equal_separate_passes(mistral: Path) -> None:
    model, random = load_model(mistral, family="native"), Random(1)
    prompts = [[1, *random.choices(range(3, 330), k=20)] for _ in range(3)]
    options = [[[5, 6, 7, 2], [8, 2]], [[9, 2]], [[10, 11, 12, 13, 14, 2], [2]]]

    found = log_likelihoods(model, prompts, options, 0)

    for prompt, own, scores in zip(prompts, options, found, strict=True):
        assert scores == pytest.approx([alone(model, prompt, option) for option in own], abs=1e-4)


def test_answers_do_not_depend_on_the_lengths_of_other_prompts(mistral: Path, tmp_path: Path) -> None:
    base = {"folder": str(mistral), "family": "native"}
    frame = instructions(8)
    together = spec_of(mistral, tmp_path / "together", frame) | {"base": base}
    run(together)

    for row in range(8):
        alone_spec = spec_of(mistral, tmp_path / str(row), frame[row : row + 1]) | {"base": base}
        run(alone_spec)
        assert predictions(alone_spec)["answer"].item() == predictions(together)["answer"][row]
