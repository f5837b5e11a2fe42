"""Which examples make which step: a pure function of their lengths and the seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

# Examples are sorted by length inside windows of this many batches: rows of a batch are then nearly of one
# length, while what a batch holds still differs from epoch to epoch.
WINDOW_BATCHES = 64


def plan_batches(lengths: Sequence[int], *, batch_size: int, epochs: float, seed: int) -> list[list[int]]:
    """Return the examples of every step, by position; each epoch shows every example once."""
    per_epoch = math.ceil(len(lengths) / batch_size)
    steps = max(1, math.ceil(epochs * per_epoch - 1e-9))
    batches: list[list[int]] = []
    epoch = 0
    while len(batches) < steps:
        batches += _epoch(lengths, batch_size, Random(f"{seed}/{epoch}"))  # noqa: S311
        epoch += 1
    return batches[:steps]


def micro_batches(batch: Sequence[int], lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Split a batch so that no part holds more than `tokens` tokens with its padding, if one row alone does not."""
    parts: list[list[int]] = []
    longest = 0
    for example in sorted(batch, key=lambda i: (lengths[i], i)):
        longest = max(longest, lengths[example])
        if not parts or longest * (len(parts[-1]) + 1) > tokens:
            parts.append([])
        parts[-1].append(example)
    return parts


def _epoch(lengths: Sequence[int], batch_size: int, random: Random) -> list[list[int]]:
    order = list(range(len(lengths)))
    random.shuffle(order)
    window = WINDOW_BATCHES * batch_size
    batches: list[list[int]] = []
    for start in range(0, len(order), window):
        near = sorted(order[start : start + window], key=lambda i: (lengths[i], i))
        batches += [near[at : at + batch_size] for at in range(0, len(near), batch_size)]
    random.shuffle(batches)
    return batches
