"""What a report knows of how a run was tuned."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from rc_pipeline.reporting.scoreboard import ReportError


@dataclass(frozen=True)
class Training:
    """What a run's training.json tells."""

    examples: int
    steps: int
    tokens: int
    loss: tuple[tuple[int, float], ...]

    @property
    def final_loss(self) -> float | None:
        """The mean over the last twentieth of the curve; a single batch says little."""
        last = [loss for _, loss in self.loss[-max(1, len(self.loss) // 20) :]]
        return sum(last) / len(last) if last else None


def read_training(path: Path, run: str) -> Training:
    """Read the training.json of a run; a path is that file or the folder that holds it."""
    file = path / "training.json" if path.is_dir() else path
    try:
        page = json.loads(file.read_text(encoding="utf-8"))
        loss = tuple((int(step), float(value)) for step, value in page["loss"])
        return Training(int(page["examples"]), int(page["steps"]), int(page["tokens"]), loss)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReportError(f"{file.name} of {run} cannot be read ({error!r}); train the run again") from error
