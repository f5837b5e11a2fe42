"""Answers in batches, equal to answering one question at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random
from typing import Any

from rc_pipeline.prediction.prefill import Prefill, read_prompts
from rc_pipeline.prediction.sampling import GREEDY, Sampling, next_tokens


def generate(  # noqa: PLR0913 - by name, all of them
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    end_ids: Collection[int],
    pad_id: int,
    sampling: Sampling = GREEDY,
    seeds: Sequence[int] = (),
) -> list[tuple[list[int], bool]]:
    """Return for each prompt the ids of its answer and whether it came to its end by itself; seeds are for sampling."""
    import torch

    answers: list[list[int]] = [[] for _ in prompts]
    ended = [False] * len(prompts)
    chance = [Random(seed) for seed in seeds]  # noqa: S311 - no secret
    with torch.inference_mode():
        prefill = read_prompts(model, prompts, pad_id)
        logits = prefill.next_logits
        active = list(range(len(prompts)))
        for step in range(max_new_tokens):
            chosen = next_tokens(logits, sampling, [chance[row] for row in active] if chance else [])
            staying = []
            for at, (row, token) in enumerate(zip(active, chosen.tolist(), strict=True)):
                if token in end_ids:
                    ended[row] = True
                elif not ended[row]:
                    answers[row].append(token)
                    staying.append(at)
            if not staying or step == max_new_tokens - 1:
                break
            if 2 * len(staying) <= len(active):
                # Rows that ended are carried along until half of them have: dropping rows copies the cache.
                rows = torch.tensor(staying, device=model.device)
                prefill.select(rows)
                chosen, active = chosen[rows], [active[at] for at in staying]
            logits = _next_logits(model, prefill, chosen, step)
    return list(zip(answers, ended, strict=True))


def _next_logits(model: Any, prefill: Prefill, chosen: Any, step: int) -> Any:
    import torch

    prefill.mask = torch.cat([prefill.mask, torch.ones_like(prefill.mask[:, :1])], dim=1)
    result = model(
        input_ids=chosen[:, None],
        attention_mask=prefill.mask,
        position_ids=prefill.lengths[:, None] + step,
        past_key_values=prefill.cache,
        use_cache=True,
    )
    return result.logits[:, -1].float()
