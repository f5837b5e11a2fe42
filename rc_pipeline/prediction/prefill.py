"""A batch of prompts read once, and a cache to go on from.

Prompts are padded at the right: there a causal model's real tokens never look, so the prompt pass needs no mask
and no position ids. What comes after is told to look past the padding, at each row's own next position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# Positions of one prompt pass, padding included: it bounds the memory of the cache.
BATCH_TOKENS = 32_768


@dataclass
class Prefill:
    """Prompts behind the model: their cache, lengths, which positions are real, and the logits that follow.

    What an adapter puts in front counts as part of each prompt.
    """

    cache: Any
    lengths: torch.Tensor
    mask: torch.Tensor
    next_logits: torch.Tensor

    def select(self, rows: torch.Tensor) -> None:
        """Keep some of the rows only."""
        self.cache.batch_select_indices(rows)
        self.lengths, self.mask = self.lengths[rows], self.mask[rows]


def read_prompts(model: Any, prompts: Sequence[Sequence[int]], pad_id: int) -> Prefill:
    """Run the prompts through the model."""
    import copy

    import torch

    front = copy.deepcopy(getattr(model, "in_front", None))
    in_front = 0 if front is None else front.get_seq_length()
    if front is not None:
        front.batch_repeat_interleave(len(prompts))
    longest = max(map(len, prompts))
    ids = torch.tensor([[*prompt, *[pad_id] * (longest - len(prompt))] for prompt in prompts], device=model.device)
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=model.device)
    result = model(input_ids=ids, logits_to_keep=lengths[:, None] - 1, past_key_values=front, use_cache=True)
    lengths = lengths + in_front
    mask = (torch.arange(longest + in_front, device=model.device)[None] < lengths[:, None]).long()
    return Prefill(result.past_key_values, lengths, mask, result.logits[:, 0].float())


def batches_by_length(lengths: Sequence[int], rows: int) -> list[list[int]]:
    """Return positions in batches of nearly equal length, longest first so that memory runs out at once or never."""
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    batches: list[list[int]] = []
    for i in order:
        full = (
            not batches or len(batches[-1]) == rows or lengths[batches[-1][0]] * (len(batches[-1]) + 1) > BATCH_TOKENS
        )
        if full:
            batches.append([])
        batches[-1].append(i)
    return batches
