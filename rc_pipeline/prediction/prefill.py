"""A batch of prompts read once, and a cache to go on from.

Prompts are padded at the right: there a causal model's real tokens never look, so the prompt pass needs no mask
and no position ids. What comes after is told to look past the padding, at each row's own next position. An encoder
looks both ways and gets the mask; its decoder then goes on from the token that starts every answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# Positions of one prompt pass, padding included: it bounds the memory of the cache.
BATCH_TOKENS = 32_768
# A CPU is fastest while a layer's numbers stay near its caches: a GPT-2 read prompts of 190 tokens 1.35 times as
# fast eight at a time as 32 at a time.
CACHED_NUMBERS = 2**20


@dataclass
class Prefill:
    """Prompts behind the model: their cache, lengths, which positions are real, and the logits that follow.

    What an adapter puts in front counts as part of each prompt. With an encoder, the mask is of what that has read.
    """

    model: Any
    cache: Any
    lengths: torch.Tensor
    mask: torch.Tensor
    next_logits: torch.Tensor
    encoded: torch.Tensor | None = None
    written: int = 0

    def select(self, rows: torch.Tensor) -> None:
        """Keep some of the rows only, in this order; a row may be there several times."""
        self.cache.batch_select_indices(rows)
        self.lengths, self.mask, self.next_logits = self.lengths[rows], self.mask[rows], self.next_logits[rows]
        if self.encoded is not None:
            self.encoded = self.encoded[rows]

    def go_on(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the logits behind one more token of each row."""
        logits = self.behind(tokens[:, None], tokens.new_full((len(tokens), 1), self.written))
        self.written += 1
        if self.encoded is None:
            self.mask = _with_ones(self.mask, 1)
        return logits[:, -1].float()

    def behind(self, ids: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Return the logits behind more ids of each row, at these places counted from its prompt's end."""
        if self.encoded is not None:
            return _decoded(self.model, self.encoded, self.mask, ids, self.cache)
        logits: torch.Tensor = self.model(
            input_ids=ids,
            attention_mask=_with_ones(self.mask, ids.shape[1]),
            position_ids=self.lengths[:, None] + places,
            past_key_values=self.cache,
            use_cache=True,
        ).logits
        return logits


def read_prompts(model: Any, prompts: Sequence[Sequence[int]], pad_id: int) -> Prefill:
    """Run the prompts through the model, on a CPU a few at a time; one that is there several times is read once."""
    import torch

    places = {prompt: place for place, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
    read = _read_by_encoder if model.config.is_encoder_decoder else _read_by_decoder
    prefill = read(model, [*places], pad_id)
    if len(places) < len(prompts):
        prefill.select(torch.tensor([places[tuple(prompt)] for prompt in prompts], device=model.device))
    return prefill


def tokens_at_once(model: Any) -> int:
    """Return how many positions a pass of prompts is best made of."""
    on_cpu = model.device.type == "cpu"
    return max(1, CACHED_NUMBERS // model.config.hidden_size) if on_cpu else BATCH_TOKENS


def padded(rows: Sequence[Sequence[int]], pad_id: int, device: Any) -> torch.Tensor:
    """Return ids in rows of one length."""
    import torch

    longest = max(map(len, rows))
    return torch.tensor([[*row, *[pad_id] * (longest - len(row))] for row in rows], device=device)


def neighbours(lengths: Sequence[int], tokens: int) -> list[range]:
    """Return places in runs that, padded to their longest, have at most so many tokens, or are one row."""
    runs: list[range] = []
    start = longest = 0
    for at, length in enumerate(lengths):
        longest = max(longest, length)
        if at > start and longest * (at + 1 - start) > tokens:
            runs.append(range(start, at))
            start, longest = at, length
    return [*runs, range(start, len(lengths))]


def batches_by_length(lengths: Sequence[int], rows: int, *, equal: bool = False) -> list[list[int]]:
    """Return positions in batches of nearly equal length, longest first so that memory runs out at once or never.

    `equal` is for models that see padding: a batch then has one length.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    batches: list[list[int]] = []
    for i in order:
        longest = lengths[batches[-1][0]] if batches else 0
        full = not batches or len(batches[-1]) == rows or longest * (len(batches[-1]) + 1) > BATCH_TOKENS
        if full or (equal and longest != lengths[i]):
            batches.append([])
        batches[-1].append(i)
    return batches


def _read(model: Any, prompts: Sequence[Sequence[int]], pad_id: int) -> Prefill:
    import torch

    from rc_pipeline.prediction.caches import new_cache

    front = getattr(model, "in_front", None)
    in_front = 0 if front is None else front.get_seq_length()
    cache = new_cache(model.config, front, len(prompts))
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=model.device)
    ids = padded(prompts, pad_id, model.device)
    result = model(input_ids=ids, logits_to_keep=lengths[:, None] - 1, past_key_values=cache, use_cache=True)
    lengths = lengths + in_front
    return Prefill(model, cache, lengths, _real(lengths, ids.shape[1] + in_front), result.logits[:, 0].float())


def _read_by_decoder(model: Any, prompts: Sequence[Sequence[int]], pad_id: int) -> Prefill:
    import torch

    from rc_pipeline.prediction.caches import joined, sees_padding

    if sees_padding(model.config):
        return _read(model, prompts, pad_id)
    runs = neighbours([len(prompt) for prompt in prompts], tokens_at_once(model))
    parts = [_read(model, prompts[run.start : run.stop], pad_id) for run in runs]
    if len(parts) == 1:
        return parts[0]
    lengths = torch.cat([part.lengths for part in parts])
    mask = _real(lengths, max(part.mask.shape[1] for part in parts))
    logits = torch.cat([part.next_logits for part in parts])
    return Prefill(model, joined([part.cache for part in parts]), lengths, mask, logits)


def _read_by_encoder(model: Any, prompts: Sequence[Sequence[int]], pad_id: int) -> Prefill:
    import torch
    from torch.nn import functional

    from rc_pipeline.models.loading import read_encoder
    from rc_pipeline.prediction.caches import new_cache

    lengths = [len(prompt) for prompt in prompts]
    parts = []
    for part in neighbours(lengths, tokens_at_once(model)):
        ids = padded([prompts[i] for i in part], pad_id, model.device)
        parts.append(read_encoder(model, ids, _real(ids.new_tensor(lengths[part.start : part.stop]), ids.shape[1])))
    longest = max(mask.shape[1] for _, mask in parts)
    encoded = torch.cat([functional.pad(states, (0, 0, 0, longest - states.shape[1])) for states, _ in parts])
    mask = torch.cat([functional.pad(mask, (0, longest - mask.shape[1])) for _, mask in parts])
    cache = new_cache(model.config, getattr(model, "in_front", None), len(prompts))
    start = torch.full((len(prompts), 1), model.config.decoder_start_token_id, device=model.device)
    logits = _decoded(model, encoded, mask, start, cache)[:, -1].float()
    return Prefill(model, cache, mask.sum(dim=1), mask, logits, encoded)


def _decoded(model: Any, encoded: torch.Tensor, mask: torch.Tensor, ids: torch.Tensor, cache: Any) -> torch.Tensor:
    logits: torch.Tensor = model(
        encoder_outputs=(encoded,), attention_mask=mask, decoder_input_ids=ids, past_key_values=cache, use_cache=True
    ).logits
    return logits


def _real(lengths: torch.Tensor, places: int) -> torch.Tensor:
    import torch

    return (torch.arange(places, device=lengths.device)[None] < lengths[:, None]).long()


def _with_ones(mask: torch.Tensor, columns: int) -> torch.Tensor:
    import torch

    return torch.cat([mask, mask.new_ones(len(mask), columns)], dim=1)
