"""How likely a model finds texts behind a prompt: the log-probability of all their tokens, given the prompt.

A prompt goes through the model once; its options share the cache. They stand in one row behind it, each blind to
the others, so that nothing is copied. Models that count positions by place rather than by number (T5), and those
whose layers see padding, get a row for each option instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from rc_pipeline.prediction.caches import sees_padding
from rc_pipeline.prediction.prefill import neighbours, padded, read_prompts, tokens_at_once

if TYPE_CHECKING:
    import torch

    from rc_pipeline.prediction.prefill import Prefill

# Logits of one pass, which bounds their memory to a gibibyte in single precision.
LOGITS = 2**28


def log_likelihoods(
    model: Any, prompts: Sequence[Sequence[int]], options: Sequence[Sequence[Sequence[int]]], pad_id: int
) -> list[list[float]]:
    """Return the log-probability of each option of each prompt."""
    import torch

    found: list[list[float]] = []
    with torch.inference_mode():
        for part in _parts(model, prompts, options):
            own = options[part.start : part.stop]
            prefill = read_prompts(model, prompts[part.start : part.stop], pad_id)
            totals = _first_tokens(prefill.next_logits, own)
            if any(len(option) > 1 for option in chain(*own)):
                apart = prefill.encoded is not None or sees_padding(model.config)
                totals += (_in_rows_of_their_own if apart else _in_one_row)(prefill, own, pad_id)
            found += [row[: len(each)] for row, each in zip(totals.tolist(), own, strict=True)]
    return found


def _parts(model: Any, prompts: Sequence[Sequence[int]], options: Sequence[Sequence[Sequence[int]]]) -> Iterator[range]:
    """Yield runs of prompts whose passes fit, both that of the prompts and that of the options."""
    asked = [sum(map(len, own)) for own in options]
    lengths = [len(prompt) + more for prompt, more in zip(prompts, asked, strict=True)]
    for run in neighbours(lengths, tokens_at_once(model)):
        for part in neighbours([asked[i] for i in run], max(1, LOGITS // model.config.vocab_size)):
            yield range(run.start + part.start, run.start + part.stop)


def _first_tokens(logits: torch.Tensor, options: Sequence[Sequence[Sequence[int]]]) -> torch.Tensor:
    import torch

    most = max(map(len, options))
    # A question with fewer options has its first one again, which nobody reads.
    ids = [[own[at if at < len(own) else 0][0] for at in range(most)] for own in options]
    return _log_probabilities(logits, torch.tensor(ids, device=logits.device))


def _in_one_row(prefill: Prefill, options: Sequence[Sequence[Sequence[int]]], pad_id: int) -> torch.Tensor:
    """Return what the tokens behind the first add, all options of a prompt in one row that branches."""
    import torch

    device = prefill.mask.device
    inputs = padded([[token for option in own for token in option[:-1]] for own in options], pad_id, device)
    places = padded([[at for option in own for at in range(len(option) - 1)] for own in options], 0, device)
    branch = padded([[n for n, option in enumerate(own) for _ in option[1:]] for own in options], -1, device)
    wanted = padded([[token for option in own for token in option[1:]] for own in options], pad_id, device)
    size, real = inputs.shape[1], branch >= 0
    before = torch.ones(size, size, dtype=torch.bool, device=device).tril()
    own_branch = before & (branch[:, :, None] == branch[:, None])
    prompt = prefill.mask.bool()[:, None].expand(-1, size, -1)
    logits = prefill.model(
        input_ids=inputs,
        attention_mask=torch.cat([prompt, own_branch], dim=2)[:, None],
        position_ids=prefill.lengths[:, None] + places,
        past_key_values=prefill.cache,
        use_cache=True,
        logits_to_keep=real,
    ).logits
    found = _log_probabilities(logits, wanted[real][:, None])[:, 0]
    totals = found.new_zeros(len(options), max(map(len, options)))
    return totals.index_put((real.nonzero()[:, 0], branch[real]), found, accumulate=True)


def _in_rows_of_their_own(prefill: Prefill, options: Sequence[Sequence[Sequence[int]]], pad_id: int) -> torch.Tensor:
    """Return what the tokens behind the first add, each option in a row with a copy of its prompt's cache."""
    import torch

    device, most = prefill.mask.device, max(map(len, options))
    rows = [own[at if at < len(own) else 0] for own in options for at in range(most)]
    prefill.select(torch.arange(len(options), device=device).repeat_interleave(most))
    ids = padded(rows, pad_id, device)
    lengths = torch.tensor([len(row) for row in rows], device=device)[:, None]
    steps = torch.arange(ids.shape[1] - 1, device=device)[None]
    # Padding stays at its option's last place: behind it, a model with learnt positions may have none.
    logits = prefill.behind(ids[:, :-1], steps.minimum((lengths - 2).clamp(min=0)))
    found = _log_probabilities(logits, ids[:, 1:, None])[..., 0] * (steps + 1 < lengths)
    return found.sum(dim=1).view(len(options), most)


def _log_probabilities(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return the log-probabilities of some tokens at each place."""
    logits = logits.float()
    return logits.gather(-1, wanted) - logits.logsumexp(dim=-1, keepdim=True)
