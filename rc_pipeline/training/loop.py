"""The training loop: every step is a pure function of the step before it, the seed and the examples."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rc_pipeline.training.checkpoints import STEPS_BETWEEN_CHECKPOINTS, Checkpoint, Checkpoints, Saving
from rc_pipeline.training.held_out import HeldOut
from rc_pipeline.training.memory import MICRO_BATCH_TOKENS, OutOfMemory, halved, is_out_of_memory, peak_gigabytes
from rc_pipeline.training.parallel import ALONE, Group, own_part, whole
from rc_pipeline.worker import beat

if TYPE_CHECKING:
    import torch

    from rc_pipeline.prompting.encoding import Encoded
    from rc_pipeline.training.objective import Objective

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
    group: Group = ALONE

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
            if done < steps and self.group.saves(saving.is_due(done), self.device):
                saving.save(Checkpoint(done, self._state(), journal.losses, journal.evaluations), note)
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
            parts = self.group.passes(self.batches[step], self.lengths, self.micro_batch_tokens)
            own = self._gradients(step, parts)
            if own is not None:
                break
            self._take_fewer_at_a_time(step, parts, note)
        total = self.group.sum_up(own, list(self.weights.values()), self.device)
        norm = whole(torch.nn.utils.clip_grad_norm_(self.weights.values(), self.max_grad_norm))
        if not (math.isfinite(total) and math.isfinite(norm.item())):
            raise self._diverged(step + 1, f"the loss is {total} and the gradient's norm {norm.item()}")
        self.optimizer.step()
        self.optimizer.zero_grad()
        return total, sum(self.lengths[i] for i in self.batches[step])

    def _gradients(self, step: int, parts: Sequence[Sequence[int]]) -> float | None:
        """Add up the gradients of a batch's parts and return its loss, None where memory did not suffice."""
        import torch

        weight = max(1, self.objective.weight([self.examples[i] for i in self.batches[step]]))
        total = 0.0
        try:
            for part in parts:
                # Noise belongs to what is computed, whichever process computes it.
                torch.manual_seed(_seed_of_pass(self.seed, step, part))
                loss = self._summed_loss(part or self.batches[step][:1], self.examples, training=True)
                loss = loss * (len(part) > 0) / weight
                (loss * self.group.divides_by).backward()  # type: ignore[no-untyped-call]
                total += loss.item()
                beat()
        except RuntimeError as error:
            # What the failed pass holds is free only once its traceback is gone, hence no retry in here.
            if is_out_of_memory(error):
                return None
            raise
        return total

    def _summed_loss(self, rows: Sequence[int], examples: Sequence[Encoded], *, training: bool) -> torch.Tensor:
        self.group.put_together(self.model)
        return self.objective.summed_loss(self.model, [examples[i] for i in rows], training=training)

    def _take_fewer_at_a_time(self, step: int, parts: Sequence[Sequence[int]], note: Callable[[str], None]) -> None:
        import torch

        self.optimizer.zero_grad()
        self.micro_batch_tokens = halved([part for part in parts if part], self.lengths)
        fewer = f"{self.micro_batch_tokens} tokens at a time"
        if self.group.sharded:
            # The others are in the middle of a pass that cannot be made without this process.
            self.checkpoints.remember_tokens(self.micro_batch_tokens)
            raise OutOfMemory(f"out of memory in step {step + 1}. Start it again: it goes on with {fewer}.")
        note(f"out of memory in step {step + 1}: goes on with {fewer}")
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _evaluate(self, done: int, journal: Journal, note: Callable[[str], None]) -> None:
        import torch

        rows = self.held_out.examples
        parts = self.group.passes(range(len(rows)), [len(row.ids) for row in rows], self.micro_batch_tokens)
        self.model.eval()
        own = 0.0
        with torch.no_grad():
            for part in parts:
                own += self._summed_loss(part or [0], rows, training=False).item() * (len(part) > 0)
                beat()
        self.group.take_apart(self.model)
        self.model.train()
        loss = self.group.sum_up(own, [], self.device) / max(1, self.objective.weight(rows))
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

        checkpoint = self._last_checkpoint(note)
        if checkpoint is None:
            return Journal()
        tensors = checkpoint.tensors
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(own_part(tensors[f"weight.{name}"], weight))
                self.optimizer.state[weight] = {
                    "step": tensors[f"step.{name}"].to(weight.device),
                    **{key: own_part(tensors[f"{key}.{name}"], weight) for key in ("exp_avg", "exp_avg_sq")},
                }
                if f"best.{name}" in tensors:
                    self.best[name] = own_part(tensors[f"best.{name}"], weight)
        note(f"goes on after step {checkpoint.step} of {len(self.batches)}")
        return Journal(
            losses=list(checkpoint.losses), evaluations=list(checkpoint.evaluations), resumed_at=checkpoint.step
        )

    def _last_checkpoint(self, note: Callable[[str], None]) -> Checkpoint | None:
        """Return the checkpoint to go on from, the same one in all processes."""
        if not self.group.leads:
            step = self.group.as_leader_says(-1, self.device)
            return None if step < 0 else self.checkpoints.at(step)
        checkpoint, passed_over = self.checkpoints.latest()
        for reason in passed_over:
            note(f"checkpoint passed over: {reason}")
        self.group.as_leader_says(-1 if checkpoint is None else checkpoint.step, self.device)
        return checkpoint


def _seed_of_pass(seed: int, step: int, part: Sequence[int]) -> int:
    named = f"{seed}/{step}/{','.join(map(str, part))}"
    return int.from_bytes(hashlib.sha256(named.encode()).digest()[:7], "big")
