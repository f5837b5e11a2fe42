"""How much fits into memory at once, and what to do when it does not."""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Tokens of one forward pass, padding included; a larger batch is summed up from several.
MICRO_BATCH_TOKENS = 16_384
# What a token leaves behind in a layer for the backward pass, in bytes a unit of width, with adapters everywhere.
ACTIVATION_BYTES = 64
# What a logit takes: itself, its probability and its gradient, in fp32.
LOGIT_BYTES = 12
SHARE_OF_FREE_MEMORY = 0.5
# A CPU is fastest while a layer's numbers stay near its caches: a GPT-2 with 682 tokens at a time trained 2.6 times as
# fast as with a whole batch of 3,200, in a quarter of the memory.
CACHED_NUMBERS = 2**19
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


class OutOfMemory(RuntimeError):
    """One example alone does not fit."""


def tokens_that_fit(free_bytes: int, *, layers: int, width: int, logits: int = 0) -> int:
    """Return how many tokens one forward pass may hold in the memory that is free beside the weights.

    `logits` is the number of logits a token: the vocabulary where a loss is taken on every token.
    """
    a_token = layers * width * ACTIVATION_BYTES + logits * LOGIT_BYTES
    return max(1, min(MICRO_BATCH_TOKENS, int(SHARE_OF_FREE_MEMORY * free_bytes / a_token)))


def cached_tokens(width: int) -> int:
    """Return how many tokens a CPU takes at a time, if memory allows."""
    return max(1, CACHED_NUMBERS // width)


def usable_bytes(device: Any) -> int:
    """Return what is free on a GPU, or half of what the machine has: the same every time, so that sums are too."""
    if device.type != "cpu":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = CGROUP_LIMIT.read_text().strip() if CGROUP_LIMIT.is_file() else ""
    return min(whole, int(limit)) // 2 if limit.isdigit() else whole // 2


def peak_gigabytes(device: Any) -> float:
    """Return the most memory that was in use so far, on the GPU where there is one."""
    if device.type == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    import torch

    return torch.cuda.max_memory_allocated(device) / 1e9


def is_out_of_memory(error: RuntimeError) -> bool:
    """Tell an allocation that failed, on a GPU or a CPU, from other errors."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def halved(parts: Sequence[Sequence[int]], lengths: Sequence[int]) -> int:
    """Return half the tokens of the largest part; raise OutOfMemory when no part can be split any more."""
    if all(len(part) == 1 for part in parts):
        raise OutOfMemory(
            f"An example of {max(lengths[i] for part in parts for i in part)} tokens does not fit into memory. "
            "Set tune.gradient_checkpointing, lower tune.max_tokens, or use tune.method qlora."
        )
    return max(max(lengths[i] for i in part) * len(part) for part in parts if len(part) > 1) // 2
