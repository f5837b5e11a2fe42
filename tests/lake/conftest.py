"""A small lineage for every test of the lake."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    source = tmp_path / "numbers.txt"
    source.write_text("1 2 3 4\n")
    return World(tmp_path / "lake", source)
