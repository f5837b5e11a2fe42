"""Instructions and answers of two runs, some of them hostile, and an endpoint to ask."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "endpoints"))

from endpoint_server import Site, serving


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as started:
        yield started
