"""Answers in batches, equal to answering one question at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from rc_pipeline.prediction.prefill import read_prompts
from rc_pipeline.prediction.sampling import GREEDY, Sampling, next_tokens


@dataclass
class Written:
    """What a model wrote: its tokens, the log-probability of all of them and the end, and whether it came to one."""

    ids: list[int] = field(default_factory=list)
    log_probability: float = 0.0
    ended: bool = False


@dataclass(frozen=True)
class Ends:
    """What ends an answer: a token, or in some rows a text that `reached` finds in its tokens."""

    ids: Collection[int]
    reached: Callable[[int, list[int]], bool] | None = None

    def end(self, row: int, written: Written, token: int) -> bool:
        """Take a token of a row's answer, and tell whether that ends it."""
        if token in self.ids:
            written.ended = True
            return True
        written.ids.append(token)
        written.ended = self.reached is not None and self.reached(row, written.ids)
        return written.ended


def generate(  # noqa: PLR0913 - by name, all of them
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    ends: Ends,
    pad_id: int,
    sampling: Sampling = GREEDY,
    seeds: Sequence[int] = (),
) -> list[Written]:
    """Return the answer to each prompt; seeds are for sampling."""
    import torch

    answers = [Written() for _ in prompts]
    chance = [Random(seed) for seed in seeds]  # noqa: S311 - no secret
    with torch.inference_mode():
        prefill = read_prompts(model, prompts, pad_id)
        logits = prefill.next_logits
        active = list(range(len(prompts)))
        for step in range(max_new_tokens):
            chosen = next_tokens(logits, sampling, [chance[row] for row in active] if chance else [])
            likely = (logits.gather(1, chosen[:, None])[:, 0] - logits.logsumexp(dim=1)).tolist()
            staying = []
            for at, (row, token) in enumerate(zip(active, chosen.tolist(), strict=True)):
                if answers[row].ended:
                    continue
                answers[row].log_probability += likely[at]
                if not ends.end(row, answers[row], token):
                    staying.append(at)
            if not staying or step == max_new_tokens - 1:
                break
            if 2 * len(staying) <= len(active):
                # Rows that ended are carried along until half of them have: dropping rows copies the cache.
                rows = torch.tensor(staying, device=model.device)
                prefill.select(rows)
                chosen, active = chosen[rows], [active[at] for at in staying]
            logits = prefill.go_on(chosen)
    return answers
