"""What tests of several stages share; their conftests import it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.tiny_models import write_model


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint folder of a tiny Llama."""
    return write_model(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Compute in one thread, and forget what a training asked of PyTorch."""
    import torch

    torch.set_num_threads(1)
    yield
    torch.set_deterministic_debug_mode("default")
