from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.fixtures import llama, one_thread  # noqa: F401
from tests.models.tiny_models import FAMILIES, write_model


@pytest.fixture(scope="session", params=FAMILIES)
def family_base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A checkpoint folder of each family."""
    return request.param, write_model(tmp_path_factory.mktemp("models") / request.param, request.param)
