"""Runs as a study's report is told of them."""

from __future__ import annotations

from typing import Any


def described(label: str) -> dict[str, Any]:
    tune: dict[str, Any] = {"method": "lora", "rank": 8, "alpha": 16, "learning_rate": 0.002, "loss_on": "answer"}
    tune |= {"tuned--rank-2": {"rank": 2}, "tuned--loss_on-everything": {"loss_on": "everything"}}.get(label, {})
    tuned = label != "base"
    return {
        "label": label, "run": label, "model": "rc_tiny", "title": "", "tuned": tuned,
        "method": "lora" if tuned else None, "tune": tune if tuned else None,
        "prompt": {"template": "brief", "shots": 0},
    }  # fmt: skip
