"""The small study, built once and handed to every test as a copy of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_study import SmallStudy, copy_catalog


@pytest.fixture(scope="session")
def built_study(tmp_path_factory: pytest.TempPathFactory) -> SmallStudy:
    folder = tmp_path_factory.mktemp("built")
    study = SmallStudy(copy_catalog(folder / "catalog"), folder / "lake")
    study.run()
    return study


@pytest.fixture
def study(built_study: SmallStudy, tmp_path: Path) -> SmallStudy:
    return built_study.copy(tmp_path)
