"""An endpoint to ask, and a task with two templates and a few rows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "endpoints"))

from endpoint_server import Site, serving
from tasks import TASK, Task


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as started:
        yield started


@pytest.fixture
def task() -> Task:
    return TASK
