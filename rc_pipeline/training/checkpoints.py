"""Checkpoints of a training run: whole or not there, and never trusted without their checksum."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.canonical import canonical_json
from rc_pipeline.lake.durable import write_atomically, written_atomically
from rc_pipeline.lake.hashing import sha256_file
from rc_pipeline.training.parallel import whole
from rc_pipeline.worker import beat

if TYPE_CHECKING:
    import torch

KEPT = 2
TOKENS_FILE = "tokens_at_a_time"
SECONDS_BETWEEN_CHECKPOINTS = 20.0
STEPS_BETWEEN_CHECKPOINTS = 200
# Saving takes no more than this share of the time, however slow the disk.
SHARE_FOR_CHECKPOINTS = 0.02
DTYPES = {"torch.float64": "F64", "torch.float32": "F32", "torch.float16": "F16", "torch.bfloat16": "BF16"}


class WeightsAstray(RuntimeError):
    """Weights that no run should go on from."""


@dataclass(frozen=True)
class Checkpoint:
    """The state after `step` steps."""

    step: int
    tensors: Mapping[str, torch.Tensor]
    losses: list[float]
    evaluations: list[tuple[int, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Checkpoints:
    """A folder of checkpoints that belong to one `identity`: the examples, the settings and the base."""

    folder: Path
    identity: str
    # Of several processes one writes; the others only hand over their parts of the tensors.
    writes: bool = True

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint, tensor by tensor; its JSON comes last and vouches for the rest by a checksum."""
        file = self._file(checkpoint.step)
        tensors = _whole(checkpoint.tensors)
        try:
            if self.writes:
                self._write(file, checkpoint, tensors)
        finally:
            # The other processes hand over all they have, even if the disk is full.
            for _ in tensors:
                pass
        return file

    def latest(self) -> tuple[Checkpoint | None, list[str]]:
        """Return the newest whole checkpoint of this identity, and why newer ones were passed over."""
        passed_over: list[str] = []
        for about in self._newest_first():
            file = about.with_suffix(".safetensors")
            try:
                return self._read(file), passed_over
            except (OSError, ValueError, KeyError, TypeError) as error:
                passed_over.append(f"{file.name}: {error}")
        return None, passed_over

    def at(self, step: int) -> Checkpoint:
        """Return the checkpoint of a step, which another process has found to be whole."""
        return self._read(self._file(step), proved=True)

    def newest_file(self) -> str:
        """Return the newest checkpoint's path, for a message to people."""
        newest = self._newest_first()
        return str(newest[0].with_suffix(".safetensors")) if newest else "none was written yet"

    def remember_tokens(self, tokens: int) -> None:
        """Keep how many tokens at a time fit into memory, for the next start."""
        write_atomically(self.folder / TOKENS_FILE, str(tokens).encode())

    def remembered_tokens(self) -> int | None:
        """Return how many tokens at a time were found to fit, if that was ever in doubt."""
        file = self.folder / TOKENS_FILE
        return int(file.read_text()) if file.is_file() else None

    def _file(self, step: int) -> Path:
        return self.folder / f"checkpoint-{step:08d}.safetensors"

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("checkpoint-*.json"), reverse=True)

    def _write(self, file: Path, checkpoint: Checkpoint, tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
        digest = hashlib.sha256()
        with written_atomically(file) as opened:
            for piece in self._pieces(checkpoint, tensors):
                opened.write(piece)
                digest.update(piece)
        about = {
            "identity": self.identity,
            "step": checkpoint.step,
            "losses": checkpoint.losses,
            "evaluations": [list(each) for each in checkpoint.evaluations],
            "sha256": digest.hexdigest(),
        }
        write_atomically(file.with_suffix(".json"), canonical_json(about))
        for old in self._newest_first()[KEPT:]:
            old.unlink(missing_ok=True)
            old.with_suffix(".safetensors").unlink(missing_ok=True)

    def _pieces(self, checkpoint: Checkpoint, tensors: Iterable[tuple[str, torch.Tensor]]) -> Iterator[Any]:
        import torch

        yield _header(checkpoint.tensors)
        for name, tensor in tensors:
            if not torch.isfinite(tensor).all():
                raise WeightsAstray(
                    f"step {checkpoint.step}: {name} holds numbers that are infinite or none. "
                    f"Lower tune.learning_rate. The last good checkpoint: {self.newest_file()}."
                )
            yield tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy()

    def _read(self, file: Path, *, proved: bool = False) -> Checkpoint:
        facts = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        if facts["identity"] != self.identity:
            raise ValueError("belongs to other examples or settings")
        if not proved and sha256_file(file) != facts["sha256"]:
            raise ValueError("does not match its checksum")
        evaluations = [(int(step), float(loss)) for step, loss in facts["evaluations"]]
        return Checkpoint(int(facts["step"]), Stored(file), [float(loss) for loss in facts["losses"]], evaluations)


class Stored(Mapping[str, Any]):
    """The tensors of a file, each read when it is asked for."""

    def __init__(self, file: Path) -> None:
        from safetensors import safe_open

        self._file = safe_open(file, framework="pt")
        self._names = frozenset(self._file.keys())  # type: ignore[no-untyped-call]

    def __getitem__(self, name: str) -> torch.Tensor:
        if name not in self._names:
            raise KeyError(name)
        tensor: torch.Tensor = self._file.get_tensor(name)  # type: ignore[no-untyped-call]
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass
class Saving:
    """When to save: every so many steps or seconds, but never so often that it slows the training down."""

    checkpoints: Checkpoints
    every_steps: int
    finished_at: float = field(default_factory=time.monotonic)
    seconds_taken: float = 0.0

    def is_due(self, done: int) -> bool:
        """Say whether the state after `done` steps is worth its writing."""
        waited = time.monotonic() - self.finished_at
        wait = max(SECONDS_BETWEEN_CHECKPOINTS, self.seconds_taken / SHARE_FOR_CHECKPOINTS)
        return done % self.every_steps == 0 or waited > wait

    def save(self, checkpoint: Checkpoint, note: Callable[[str], None]) -> None:
        """Write a checkpoint and remember what it cost; where the disk refuses it, training goes on without."""
        started = time.monotonic()
        try:
            self.checkpoints.save(checkpoint)
        except OSError as error:
            newest = self.checkpoints.newest_file()
            note(f"no checkpoint of step {checkpoint.step} ({error}); goes on. The last one: {newest}")
        self.finished_at = time.monotonic()
        self.seconds_taken = self.finished_at - started


def sweep(folder: Path) -> None:
    """Remove what a killed writer left half-written."""
    for path in folder.glob(".checkpoint-*"):
        with suppress(OSError):
            path.unlink()


def _whole(tensors: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """Put one tensor after the other together, where several processes hold parts of it."""
    for name in sorted(tensors):
        beat()
        yield name, whole(tensors[name]).detach()


def _header(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Return what a safetensors file begins with, where the tensors follow by name."""
    entries, end = {}, 0
    for name in sorted(tensors):
        tensor, start = tensors[name], end
        end += tensor.numel() * tensor.element_size()
        entries[name] = {
            "dtype": DTYPES[str(tensor.dtype)],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = canonical_json(entries)
    # Tensors start at a multiple of eight, so that they can be read where they lie.
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
