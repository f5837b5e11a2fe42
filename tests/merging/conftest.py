from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.merging.tiny_runs import train_tiny
from tests.models.fixtures import llama, one_thread  # noqa: F401


@pytest.fixture(scope="session")
def tuned(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:  # noqa: F811
    """The spec of a LoRA run on a tiny Llama, trained."""
    return train_tiny(llama, "llama", tmp_path_factory.mktemp("tuned"), rows=24)
