"""How much fits into memory at once, and what to do when it does not."""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.training.forecast import activation_bytes, forecast, logit_bytes
from rc_pipeline.training.shapes import Shape, ShapeUnknown, read_shape

if TYPE_CHECKING:
    from rc_pipeline.prompting.encoding import Encoded
    from rc_pipeline.training.parallel import Group

# Tokens of one forward pass, padding included; a larger batch is summed up from several.
MICRO_BATCH_TOKENS = 16_384
# The rest is for rows that differ from the mean, and for what an allocator cannot use.
SHARE_OF_FREE_MEMORY = 0.85
# A CPU is fastest while a layer's numbers stay near its caches: a GPT-2 with 682 tokens at a time trained 2.6 times as
# fast as with a whole batch of 3,200, in a quarter of the memory.
CACHED_NUMBERS = 2**19
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


class OutOfMemory(RuntimeError):
    """One example alone does not fit."""


def tokens_that_fit(  # noqa: PLR0913
    free_bytes: int,
    shape: Shape,
    tune: Mapping[str, Any],
    *,
    row_tokens: int,
    learned: float,
    bf16: bool,
    checkpointing: bool,
    shards: int = 1,
) -> int:
    """Return how many tokens one forward pass may hold in the memory that is free beside the base model.

    `learned` is the share of the tokens that have logits.
    """
    ahead = forecast(shape, tune, tokens=0, labels=0, bf16=bf16, checkpointing=checkpointing, shards=shards)
    kept, passing = activation_bytes(shape, tune, row_tokens=row_tokens, bf16=bf16, checkpointing=checkpointing)
    a_token = kept + max(passing, math.ceil(learned * logit_bytes(shape, bf16=bf16)))
    room = SHARE_OF_FREE_MEMORY * free_bytes - ahead.trained - ahead.passing
    return max(1, min(MICRO_BATCH_TOKENS, int(room / a_token)))


def fit_into_memory(
    model: Any, tune: Mapping[str, Any], examples: Sequence[Encoded], group: Group, *, bf16: bool
) -> int:
    """Return the tokens of one forward pass; where one row's activations do not fit, they are computed twice."""
    lengths = [len(example.ids) for example in examples]
    longest = max(lengths)
    # GPUs are one each, main memory is for all.
    free = usable_bytes(model.device) // (group.size if model.device.type == "cpu" else 1)
    again = bool(tune.get("gradient_checkpointing"))
    try:
        fits = partial(
            tokens_that_fit, free, read_shape(model.config.to_dict()), tune, row_tokens=longest,
            learned=1 - sum(example.masked for example in examples) / sum(lengths), bf16=bf16,
            shards=group.size if group.sharded else 1,
        )  # fmt: skip
        tokens = fits(checkpointing=again)
        # The cache that holds a prefix would be written to twice.
        if not again and tokens < longest and tune["method"] != "prefix":
            again, tokens = True, fits(checkpointing=True)
    except ShapeUnknown:
        # Then running out of memory tells.
        tokens = MICRO_BATCH_TOKENS
    if again:
        model.activation_checkpointing_enable()
    if model.device.type == "cpu":
        tokens = min(tokens, cached_tokens(model.config.hidden_size))
    return max(tokens, longest)


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
