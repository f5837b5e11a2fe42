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

if TYPE_CHECKING:
    import torch

    from rc_pipeline.prompting.encoding import Encoded

IGNORED = -100
SECONDS_BETWEEN_CHECKPOINTS = 20.0
STEPS_BETWEEN_CHECKPOINTS = 200
# Saving takes no more than this share of the time, however slow the disk.
SHARE_FOR_CHECKPOINTS = 0.02
# Tokens of one forward pass, padding included; a larger batch is summed up from several.
MICRO_BATCH_TOKENS = 16_384
# What a token leaves behind in a layer for the backward pass, in bytes a unit of width, with adapters everywhere.
ACTIVATION_BYTES = 64
SHARE_OF_FREE_MEMORY = 0.5


class TrainingDiverged(RuntimeError):
    """The loss or its gradient is no number any more."""


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


def tokens_that_fit(free_bytes: int, *, layers: int, width: int) -> int:
    """Return how many tokens one forward pass may hold in the memory that is free beside the weights."""
    a_token = layers * width * ACTIVATION_BYTES
    return max(1, min(MICRO_BATCH_TOKENS, int(SHARE_OF_FREE_MEMORY * free_bytes / a_token)))


@dataclass
class Trainer:
    """A model with an adapter, its optimiser, and the plan of its steps."""

    model: Any
    pad_id: int
    examples: Sequence[Encoded]
    batches: Sequence[Sequence[int]]
    schedule: Schedule
    seed: int
    weight_decay: float
    max_grad_norm: float
    checkpoints: Checkpoints
    checkpoint_steps: int = STEPS_BETWEEN_CHECKPOINTS
    micro_batch_tokens: int = MICRO_BATCH_TOKENS

    def __post_init__(self) -> None:
        import torch

        self.weights = {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}
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
        for step in range(len(journal.losses), len(self.batches)):
            started = time.monotonic()
            loss, tokens = self._step(step)
            journal.losses.append(loss)
            now = time.monotonic()
            journal.lines.append(
                {
                    "step": step + 1,
                    "loss": round(loss, 6),
                    "learning_rate": self.schedule.rate(step),
                    "tokens": tokens,
                    "seconds": round(now - started, 4),
                }
            )
            done = step + 1
            if done < len(self.batches) and saving.is_due(done):
                saving.save(Checkpoint(done, self._state(), journal.losses))
            progress(done, len(self.batches), loss=loss)
        self.model.eval()
        return journal

    def _step(self, step: int) -> tuple[float, int]:
        import torch

        torch.manual_seed(_seed_of_step(self.seed, step))
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.rate(step)
        batch = self.batches[step]
        labelled = sum(sum(label != IGNORED for label in self.examples[i].labels[1:]) for i in batch)
        total, tokens = 0.0, 0
        for part in micro_batches(batch, self.lengths, self.micro_batch_tokens):
            loss = self._summed_loss(part) / max(1, labelled)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
            tokens += sum(self.lengths[i] for i in part)
        norm = torch.nn.utils.clip_grad_norm_(self.weights.values(), self.max_grad_norm)
        if not (math.isfinite(total) and math.isfinite(norm.item())):
            raise TrainingDiverged(
                f"step {step + 1} of {len(self.batches)}: the loss is {total} and the gradient's norm "
                f"{norm.item()}. Lower tune.learning_rate (now {self.schedule.learning_rate:g}) or raise tune.warmup. "
                f"The last good checkpoint: {self.checkpoints.newest_file()}."
            )
        self.optimizer.step()
        self.optimizer.zero_grad()
        return total, tokens

    def _summed_loss(self, part: Sequence[int]) -> torch.Tensor:
        """Return the summed loss of some examples; logits are made at labelled positions alone.

        Padding stands at the right, where a causal model's real tokens never look, so no mask is needed.
        """
        import torch
        from torch.nn.functional import cross_entropy

        longest = max(self.lengths[i] for i in part)
        rows = [self.examples[i] for i in part]
        ids = torch.tensor([[*row.ids, *[self.pad_id] * (longest - len(row.ids))] for row in rows])
        # The label of a token is wanted where the token before it stands.
        wanted = torch.tensor([[*row.labels[1:], *[IGNORED] * (longest - len(row.labels) + 1)] for row in rows])
        ids, wanted = ids.to(self.device), wanted.to(self.device)
        keep = wanted != IGNORED
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            logits = self.model(input_ids=ids, logits_to_keep=keep, use_cache=False).logits
        return cross_entropy(logits.float(), wanted[keep], reduction="sum")

    def _state(self) -> dict[str, torch.Tensor]:
        tensors = {f"weight.{name}": weight.detach() for name, weight in self.weights.items()}
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
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(checkpoint.tensors[f"weight.{name}"])
                self.optimizer.state[weight] = {
                    key: checkpoint.tensors[f"{key}.{name}"].to(weight.device)
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }
        note(f"goes on after step {checkpoint.step} of {len(self.batches)}")
        return Journal(losses=list(checkpoint.losses), resumed_at=checkpoint.step)


def _seed_of_step(seed: int, step: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{step}".encode()).digest()[:7], "big")
