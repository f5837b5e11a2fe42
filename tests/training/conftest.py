from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.tiny_models import FAMILIES, write_model


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    import torch

    torch.set_num_threads(1)
    yield
    torch.set_deterministic_debug_mode("default")


@pytest.fixture(scope="session", params=FAMILIES)
def family_base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A checkpoint folder of each family."""
    return request.param, write_model(tmp_path_factory.mktemp("models") / request.param, request.param)
