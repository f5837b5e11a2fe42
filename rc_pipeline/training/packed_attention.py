"""Attention of examples that stand end to end: each one is a row of a padded batch for as long as it takes.

A mask that kept them apart would hold a number for every pair of tokens of a pass, once a layer, and no fast kernel
takes one. Here queries, keys and values are padded between the products, which see no padding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

NAME = "rows"


@dataclass(frozen=True)
class Rows:
    """Where each token of a pass stands in a padded batch, and which token stands in each of its places."""

    shape: tuple[int, int]
    places: torch.Tensor
    tokens: torch.Tensor
    blank: torch.Tensor


def keep_rows_apart(model: Any) -> None:
    """Let a model read packed examples row by row; one with a window of attention goes on with a mask."""
    from transformers import AttentionInterface

    if getattr(model.config, "sliding_window", None) is None:
        AttentionInterface.register(NAME, attention_in_rows)
        model.set_attn_implementation(NAME)


def attention_in_rows(  # noqa: PLR0913, PLR0917 - the interface of transformers
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    position_ids: torch.Tensor | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Return the attention of a pass, a row at a time where its positions start anew."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    rows = None if position_ids is None else rows_of(position_ids)
    if rows is None:
        found, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return found, None
    move = _move()

    def padded(packed: torch.Tensor) -> Any:
        of_tokens = packed[0].transpose(0, 1)
        return move(of_tokens, rows.tokens, rows.places, None).unflatten(0, rows.shape).transpose(1, 2)

    found, _ = sdpa_attention_forward(module, padded(query), padded(key), padded(value), None, **options)
    return move(found.flatten(0, 1), rows.places, rows.tokens, rows.blank)[None], None


def rows_of(position_ids: torch.Tensor) -> Rows | None:
    """Return the rows of a packed pass by the positions that start anew, None where there is but one."""
    import torch

    known: Rows | None = getattr(position_ids, "_rows", None)
    if known is not None or len(position_ids) != 1:
        return known
    starts = (position_ids[0] == 0).nonzero()[:, 0]
    if len(starts) < 2:
        return None
    lengths = torch.diff(starts, append=starts.new_tensor([position_ids.shape[1]]))
    within = torch.arange(int(lengths.max()), device=starts.device)[None]
    real = within < lengths[:, None]
    # A place without a token repeats the first one, which no token before it sees.
    tokens = (starts[:, None] + within).where(real, 0).flatten()
    rows = Rows((real.shape[0], real.shape[1]), real.flatten().nonzero()[:, 0], tokens, ~real.flatten())
    # All layers of a pass are given the same positions.
    position_ids._rows = rows  # type: ignore[attr-defined]
    return rows


@lru_cache(maxsize=1)
def _move() -> Any:
    import torch

    class Moved(torch.autograd.Function):
        """Takes what stands at `there`; the gradient comes from `back`, where each has one place at most."""

        @staticmethod
        def forward(ctx: Any, given: torch.Tensor, there: torch.Tensor, back: torch.Tensor, blank: Any) -> torch.Tensor:
            ctx.save_for_backward(back, *(() if blank is None else (blank,)))
            return given.index_select(0, there)

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
            back, *blank = ctx.saved_tensors
            moved = gradient.index_select(0, back)
            return (moved.masked_fill_(blank[0][:, None, None], 0) if blank else moved), None, None, None

    return Moved.apply
