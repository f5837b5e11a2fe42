from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from rc_pipeline.lake.manifest import MANIFEST, Manifest

TOLD = {"loss_curve": 1, "steps": 2, "examples": {"b": 1, "a": 2}}
PAGE: dict[str, Any] = {
    "key": "adapters/a", "stage": "adapters", "fingerprint": "f", "content": "c",
    "inputs": {"settings": {"rank": 8, "alpha": 16}, "code": {}}, "files": {"b": {}, "a": {}},
    "outcome": {"metadata": TOLD, "checks": [], "tables": {}}, "provenance": {"seconds": 1.0},
}  # fmt: skip


def test_what_a_stage_tells_of_itself_is_read_back_in_its_order(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(Manifest(**PAGE).to_bytes())
    assert list(Manifest.read(tmp_path).results().metadata) == list(TOLD)


def test_inputs_in_another_order_are_the_same_bytes() -> None:
    turned = {"code": {}, "settings": {"alpha": 16, "rank": 8}}
    assert replace(Manifest(**PAGE), inputs=turned).to_bytes() == Manifest(**PAGE).to_bytes()
