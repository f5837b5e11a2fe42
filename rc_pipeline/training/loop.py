"""The training loop: every step is a pure function of the step before it, the seed and the examples."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rc_pipeline.training.batches import micro_batches
from rc_pipeline.training.checkpoints import Checkpoint, Checkpoints
from rc_pipeline.training.held_out import HeldOut
from rc_pipeline.training.memory import MICRO_BATCH_TOKENS, halved, is_out_of_memory, peak_gigabytes

if TYPE_CHECKING:
    import torch

    from rc_pipeline.prompting.encoding import Encoded
    from rc_pipeline.training.objective import Objective

SECONDS_BETWEEN_CHECKPOINTS = 20.0
STEPS_BETWEEN_CHECKPOINTS = 200
# Saving takes no more than this share of the time, however slow the disk.
SHARE_FOR_CHECKPOINTS = 0.02
# A loss counts as blown up when its mean over so many steps is above that of blind guessing and far above the first.
STEPS_WATCHED = 50
BLOWN_UP = 1.5


class TrainingDiverged(RuntimeError):
    """The loss or its gradient is no number any more, or worse than that of blind guessing."""


@dataclass(frozen=True)
class Schedule:
    """How far each step goes: a linear rise, then half a cosine down to zero."""

    steps: int
    learning_rate: float
    warmup: float

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        rise = round(self.warmup * self.steps)
        if step < rise:
            return self.learning_rate * (step + 1) / rise
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, self.steps - rise)))


@dataclass
class Journal:
    """What the loop saw: the loss of every step since the first, and figures of the steps it made itself."""

    losses: list[float] = field(default_factory=list)
    lines: list[dict[str, float]] = field(default_factory=list)
    evaluations: list[tuple[int, float]] = field(default_factory=list)
    resumed_at: int = 0


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

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint and remember what it cost."""
        started = time.monotonic()
        self.checkpoints.save(checkpoint)
        self.finished_at = time.monotonic()
        self.seconds_taken = self.finished_at - started


@dataclass
class Trainer:
    """A model with weights to train, its optimiser, and the plan of its steps."""

    model: Any
    objective: Objective
    examples: Sequence[Encoded]
    batches: Sequence[Sequence[int]]
    schedule: Schedule
    seed: int
    weight_decay: float
    max_grad_norm: float
    checkpoints: Checkpoints
    checkpoint_steps: int = STEPS_BETWEEN_CHECKPOINTS
    micro_batch_tokens: int = MICRO_BATCH_TOKENS
    held_out: HeldOut = field(default_factory=HeldOut)

    def __post_init__(self) -> None:
        import torch

        self.weights = {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}
        self.best: dict[str, torch.Tensor] = {}
        self.device = next(iter(self.weights.values())).device
        self.optimizer = torch.optim.AdamW(
            self.weights.values(), lr=self.schedule.learning_rate, weight_decay=self.weight_decay, fused=True
        )
        self.lengths = [len(example.ids) for example in self.examples]

    def run(self, progress: Callable[..., None], note: Callable[[str], None]) -> Journal:
        """Make all steps that no checkpoint has made already."""
        journal = self._resume(note)
        self.model.train()
        saving = Saving(self.checkpoints, self.checkpoint_steps)
        steps, began, seen = len(self.batches), time.monotonic(), 0
        for step in range(len(journal.losses), steps):
            started = time.monotonic()
            loss, tokens = self._step(step, note)
            journal.losses.append(loss)
            now, seen, done = time.monotonic(), seen + tokens, step + 1
            journal.lines.append(
                {
                    "step": done,
                    "loss": round(loss, 6),
                    "learning_rate": self.schedule.rate(step),
                    "tokens": tokens,
                    "seconds": round(now - started, 4),
                }
            )
            self._refuse_to_go_astray(journal.losses)
            if self.held_out.is_due(done, steps):
                self._evaluate(done, journal, note)
                if self.held_out.has_waited(journal.evaluations):
                    note(f"no better loss for {self.held_out.patience} evaluations: stops after step {done} of {steps}")
                    break
            if done < steps and saving.is_due(done):
                saving.save(Checkpoint(done, self._state(), journal.losses, journal.evaluations))
            memory = peak_gigabytes(self.device)
            progress(done, steps, loss=loss, tokens_per_second=seen / (now - began), gigabytes=memory)
        self._keep_best()
        self.model.eval()
        return journal

    def _step(self, step: int, note: Callable[[str], None]) -> tuple[float, int]:
        import torch

        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.rate(step)
        while True:
            parts = micro_batches(self.batches[step], self.lengths, self.micro_batch_tokens)
            total = self._gradients(step, parts)
            if total is not None:
                break
            self.optimizer.zero_grad()
            self.micro_batch_tokens = halved(parts, self.lengths)
            note(f"out of memory in step {step + 1}: goes on with {self.micro_batch_tokens} tokens at a time")
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
        norm = torch.nn.utils.clip_grad_norm_(self.weights.values(), self.max_grad_norm)
        if not (math.isfinite(total) and math.isfinite(norm.item())):
            raise self._diverged(step + 1, f"the loss is {total} and the gradient's norm {norm.item()}")
        self.optimizer.step()
        self.optimizer.zero_grad()
        return total, sum(self.lengths[i] for i in self.batches[step])

    def _gradients(self, step: int, parts: Sequence[Sequence[int]]) -> float | None:
        """Add up the gradients of a batch's parts and return its loss, None where memory did not suffice."""
        import torch

        torch.manual_seed(_seed_of_step(self.seed, step))
        weight = max(1, self.objective.weight([self.examples[i] for i in self.batches[step]]))
        total = 0.0
        try:
            for part in parts:
                rows = [self.examples[i] for i in part]
                loss = self.objective.summed_loss(self.model, rows, training=True) / weight
                loss.backward()  # type: ignore[no-untyped-call]
                total += loss.item()
        except RuntimeError as error:
            # What the failed pass holds is free only once its traceback is gone, hence no retry in here.
            if is_out_of_memory(error):
                return None
            raise
        return total

    def _evaluate(self, done: int, journal: Journal, note: Callable[[str], None]) -> None:
        import torch

        rows = self.held_out.examples
        lengths = [len(row.ids) for row in rows]
        self.model.eval()
        with torch.no_grad():
            parts = micro_batches(range(len(rows)), lengths, self.micro_batch_tokens)
            losses = [self.objective.summed_loss(self.model, [rows[i] for i in part], training=False) for part in parts]
        self.model.train()
        loss = sum(each.item() for each in losses) / max(1, self.objective.weight(rows))
        if not math.isfinite(loss):
            raise self._diverged(done, f"the held-out loss is {loss}")
        journal.evaluations.append((done, loss))
        note(f"held-out loss after step {done}: {loss:.4f}")
        if self.held_out.is_best(journal.evaluations):
            self.best = {name: weight.detach().clone() for name, weight in self.weights.items()}

    def _refuse_to_go_astray(self, losses: Sequence[float]) -> None:
        if len(losses) < 2 * STEPS_WATCHED:
            return
        first, last = (sum(part) / STEPS_WATCHED for part in (losses[:STEPS_WATCHED], losses[-STEPS_WATCHED:]))
        guessing = math.log(self.model.config.vocab_size)
        if last > guessing and last > BLOWN_UP * first:
            reason = f"the loss has risen from {first:.2f} to {last:.2f}, and blind guessing has {guessing:.2f}"
            raise self._diverged(len(losses), reason)

    def _diverged(self, step: int, reason: str) -> TrainingDiverged:
        return TrainingDiverged(
            f"step {step} of {len(self.batches)}: {reason}. Lower tune.learning_rate (now "
            f"{self.schedule.learning_rate:g}) or raise tune.warmup. "
            f"The last good checkpoint: {self.checkpoints.newest_file()}."
        )

    def _keep_best(self) -> None:
        import torch

        with torch.no_grad():
            for name, weight in self.best.items():
                self.weights[name].copy_(weight)

    def _state(self) -> dict[str, torch.Tensor]:
        tensors = {f"weight.{name}": weight.detach() for name, weight in self.weights.items()}
        tensors |= {f"best.{name}": weight for name, weight in self.best.items()}
        for name, weight in self.weights.items():
            for key, value in self.optimizer.state[weight].items():
                tensors[f"{key}.{name}"] = value
        return tensors

    def _resume(self, note: Callable[[str], None]) -> Journal:
        import torch

        checkpoint, passed_over = self.checkpoints.latest()
        for reason in passed_over:
            note(f"checkpoint passed over: {reason}")
        if checkpoint is None:
            return Journal()
        tensors = checkpoint.tensors
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(tensors[f"weight.{name}"])
                self.optimizer.state[weight] = {
                    key: tensors[f"{key}.{name}"].to(weight.device) for key in ("step", "exp_avg", "exp_avg_sq")
                }
                if f"best.{name}" in tensors:
                    self.best[name] = tensors[f"best.{name}"].to(weight.device)
        note(f"goes on after step {checkpoint.step} of {len(self.batches)}")
        return Journal(
            losses=list(checkpoint.losses), evaluations=list(checkpoint.evaluations), resumed_at=checkpoint.step
        )


def _seed_of_step(seed: int, step: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{step}".encode()).digest()[:7], "big")
