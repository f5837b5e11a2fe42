from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result


def test_it_ends_with_1_only_where_something_is_broken(
    cli: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    fine = cli("doctor")
    assert "0 problems" in fine.output
    (tmp_path / "file").write_text("")
    broken = cli("doctor", "--json", lake=tmp_path / "file", code=1)
    findings = json.loads(broken.output)
    assert [one["subject"] for one in findings if one["state"] == "problem"] == ["lake", "warehouse"]
