"""How likely a model finds each option: the mean log-likelihood of its tokens, the end of text included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rc_pipeline.prediction.prefill import Prefill, read_prompts

if TYPE_CHECKING:
    import torch


def score_options(
    model: Any, prompts: Sequence[Sequence[int]], options: Sequence[Sequence[Sequence[int]]], pad_id: int
) -> list[list[float]]:
    """Return a score for each option of each prompt; every prompt goes through the model once.

    The options go one after the other on the same cache, which is cropped back in between: expanding it to all
    options at once would hold as many copies of it.
    """
    import torch

    with torch.inference_mode():
        prefill = read_prompts(model, prompts, pad_id)
        first = torch.log_softmax(prefill.next_logits, dim=-1)
        most = max(map(len, options))
        # A question with fewer options runs its first one again; zip below leaves that score aside.
        turns = [[own[min(turn, len(own) - 1)] for own in options] for turn in range(most)]
        by_turn = [_score_turn(model, prefill, first, turn, pad_id) for turn in turns]
    scores = torch.stack(by_turn, dim=1).tolist()
    return [row[: len(own)] for row, own in zip(scores, options, strict=True)]


def _score_turn(
    model: Any, prefill: Prefill, first: torch.Tensor, turn: Sequence[Sequence[int]], pad_id: int
) -> torch.Tensor:
    """Score one option of every row."""
    import torch

    device = first.device
    lengths = torch.tensor([len(option) for option in turn], device=device)
    longest = int(lengths.max())
    ids = torch.tensor([[*option, *[pad_id] * (longest - len(option))] for option in turn], device=device)
    total = first.gather(1, ids[:, :1])[:, 0]
    if longest > 1:
        steps = torch.arange(longest - 1, device=device)[None]
        logits = model(
            input_ids=ids[:, :-1],
            attention_mask=torch.cat([prefill.mask, torch.ones_like(ids[:, :-1])], dim=1),
            # Padding stays at its option's last place: behind it, a model with learnt positions may have none.
            position_ids=prefill.lengths[:, None] + steps.minimum((lengths[:, None] - 2).clamp(min=0)),
            past_key_values=prefill.cache,
            use_cache=True,
        ).logits
        prefill.cache.crop(1 - longest)
        following = torch.log_softmax(logits.float(), dim=-1).gather(2, ids[:, 1:, None])[..., 0]
        total = total + (following * (steps + 1 < lengths[:, None])).sum(dim=1)
    return total / lengths
