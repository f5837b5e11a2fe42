"""Drawing the next token: the likeliest, or one by chance that a seed decides, whatever else is in the batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Sampling:
    """How freely tokens are drawn; a temperature of 0 takes the likeliest."""

    temperature: float = 0.0
    top_p: float = 1.0


GREEDY = Sampling()


def next_tokens(logits: torch.Tensor, sampling: Sampling, draws: Sequence[Random]) -> torch.Tensor:
    """Return the next token of each row; each row has a source of chance of its own."""
    import torch

    if not sampling.temperature:
        return logits.argmax(dim=-1)
    probabilities = torch.softmax(logits.double() / sampling.temperature, dim=-1)
    ordered, tokens = probabilities.sort(dim=-1, descending=True, stable=True)
    sums = ordered.cumsum(dim=-1)
    # The fewest likeliest tokens that reach top_p together: one is in as long as those before it do not.
    inside = sums - ordered < sampling.top_p
    reach = (ordered * inside).sum(dim=-1)
    wanted = torch.tensor([draw.random() for draw in draws], dtype=torch.double, device=logits.device) * reach
    places = (sums <= wanted[:, None]).sum(dim=-1).clamp(max=inside.sum(dim=-1) - 1)
    return tokens.gather(-1, places[:, None])[:, 0]
