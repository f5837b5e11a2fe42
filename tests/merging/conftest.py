from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.merging.tiny_runs import train_tiny
from tests.models.tiny_models import write_model


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    import torch

    torch.set_num_threads(1)
    yield
    torch.set_deterministic_debug_mode("default")


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(scope="session")
def tuned(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The spec of a LoRA run on a tiny Llama, trained."""
    return train_tiny(llama, "llama", tmp_path_factory.mktemp("tuned"), rows=24)
