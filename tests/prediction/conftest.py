from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.fixtures import llama, one_thread  # noqa: F401
from tests.models.tiny_models import FAMILIES, write_model, write_tokenizer


@pytest.fixture(scope="session", params=[*FAMILIES, "t5"])
def family_base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A checkpoint folder of each family."""
    folder = tmp_path_factory.mktemp("models") / request.param
    return request.param, write_t5(folder) if request.param == "t5" else write_model(folder, request.param)


@pytest.fixture(scope="session")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_t5(tmp_path_factory.mktemp("models") / "t5")


def write_t5(folder: Path) -> Path:
    """Write a checkpoint whose encoder reads prompts and whose decoder writes answers."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    folder.mkdir(parents=True)
    write_tokenizer(folder)
    torch.manual_seed(0)
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
    ids = {"vocab_size": 330, "eos_token_id": 2, "pad_token_id": 0, "decoder_start_token_id": 0}
    model = T5ForConditionalGeneration(T5Config(**sizes, **ids, feed_forward_proj="gated-gelu"))
    with torch.no_grad():
        for weight in model.parameters():
            # Default initial weights are so small that every answer would be the same.
            weight.mul_(2.0) if weight.ndim > 1 else weight
    model.save_pretrained(folder)
    return folder
