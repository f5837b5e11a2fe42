"""Runs as a study's report is told of them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.reporting import build
from rc_pipeline.reporting.build import Files


def write_report(*, out: Path, **study: Any) -> Outcome:
    """Write the report of a study whose files stand among what is told of it."""
    files = {field.name: study.pop(field.name) for field in fields(Files) if field.name in study}
    return build.write_report(files=Files(**files), out=out, **study)


def described(label: str) -> dict[str, Any]:
    tune: dict[str, Any] = {"method": "lora", "rank": 8, "alpha": 16, "learning_rate": 0.002, "loss_on": "answer"}
    tune |= {"tuned--rank-2": {"rank": 2}, "tuned--loss_on-everything": {"loss_on": "everything"}}.get(label, {})
    tuned = label != "base"
    return {
        "label": label, "run": label, "model": "rc_tiny", "title": "", "tuned": tuned,
        "method": "lora" if tuned else None, "tune": tune if tuned else None,
        "prompt": {"template": "brief", "shots": 0},
    }  # fmt: skip
