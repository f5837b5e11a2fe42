from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rc_pipeline.lake.outcome import Outcome
from tests.passages.small_world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world without a question."""
    return World(tmp_path)


@pytest.fixture
def passed() -> Callable[[Outcome], bool]:
    """Tell whether all checks of an outcome passed."""
    return lambda outcome: len(outcome.checks) == 3 and all(check.passed for check in outcome.checks)
