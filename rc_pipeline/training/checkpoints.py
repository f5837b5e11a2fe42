"""Checkpoints of a training run: whole or not there, and never trusted without their checksum."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rc_pipeline.lake.canonical import canonical_json
from rc_pipeline.lake.durable import write_atomically

if TYPE_CHECKING:
    import torch

KEPT = 2


class WeightsAstray(RuntimeError):
    """Weights that no run should go on from."""


@dataclass(frozen=True)
class Checkpoint:
    """The state after `step` steps."""

    step: int
    tensors: dict[str, torch.Tensor]
    losses: list[float]
    evaluations: list[tuple[int, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Checkpoints:
    """A folder of checkpoints that belong to one `identity`: the examples, the settings and the base."""

    folder: Path
    identity: str

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint; its JSON comes last and vouches for the tensors by their checksum."""
        import torch
        from safetensors.torch import save

        astray = [name for name, value in checkpoint.tensors.items() if not torch.isfinite(value).all()]
        if astray:
            raise WeightsAstray(
                f"step {checkpoint.step}: {astray[0]} holds numbers that are infinite or none. "
                f"Lower tune.learning_rate. The last good checkpoint: {self.newest_file()}."
            )
        data = save(checkpoint.tensors)
        tensors = self.folder / f"checkpoint-{checkpoint.step:08d}.safetensors"
        write_atomically(tensors, data)
        about = {
            "identity": self.identity,
            "step": checkpoint.step,
            "losses": checkpoint.losses,
            "evaluations": [list(each) for each in checkpoint.evaluations],
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        write_atomically(tensors.with_suffix(".json"), canonical_json(about))
        for old in self._newest_first()[KEPT:]:
            old.unlink(missing_ok=True)
            old.with_suffix(".safetensors").unlink(missing_ok=True)
        return tensors

    def latest(self) -> tuple[Checkpoint | None, list[str]]:
        """Return the newest whole checkpoint of this identity, and why newer ones were passed over."""
        passed_over: list[str] = []
        for about in self._newest_first():
            try:
                checkpoint = self._read(about)
            except (OSError, ValueError, KeyError, TypeError) as error:
                passed_over.append(f"{about.with_suffix('.safetensors').name}: {error}")
                continue
            return checkpoint, passed_over
        return None, passed_over

    def newest_file(self) -> str:
        """Return the newest checkpoint's path, for a message to people."""
        newest = self._newest_first()
        return str(newest[0].with_suffix(".safetensors")) if newest else "none was written yet"

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("checkpoint-*.json"), reverse=True)

    def _read(self, about: Path) -> Checkpoint:
        from safetensors.torch import load

        facts = json.loads(about.read_text(encoding="utf-8"))
        if facts["identity"] != self.identity:
            raise ValueError("belongs to other examples or settings")
        data = about.with_suffix(".safetensors").read_bytes()
        if hashlib.sha256(data).hexdigest() != facts["sha256"]:
            raise ValueError("does not match its checksum")
        evaluations = [(int(step), float(loss)) for step, loss in facts["evaluations"]]
        return Checkpoint(int(facts["step"]), load(data), [float(loss) for loss in facts["losses"]], evaluations)


def sweep(folder: Path) -> None:
    """Remove what a killed writer left half-written."""
    for path in folder.glob(".checkpoint-*"):
        with suppress(OSError):
            path.unlink()
