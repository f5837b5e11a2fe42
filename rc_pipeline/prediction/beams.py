"""The likeliest answers by beam search: several unfinished answers to each question are followed at once.

Answers are compared by the mean log-probability of their tokens, the end included. A question is done when none of
those that are still open, as it stands, is better than the worst of as many finished ones as there are beams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rc_pipeline.prediction.generation import Ends, Written
from rc_pipeline.prediction.prefill import read_prompts

if TYPE_CHECKING:
    import torch


@dataclass
class _Search:
    """One question: its open answers, best first, each with the row that it goes on from, and the finished ones."""

    row: int
    open: list[Written] = field(default_factory=lambda: [Written()])
    finished: list[tuple[float, Written]] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)

    def take(self, candidates: Sequence[tuple[float, int, int]], beams: int, ends: Ends, *, last: bool) -> None:
        """Go on with the best of (log-probability, open answer, token)."""
        before, self.open, self.parents = self.open, [], []
        for rank, (total, parent, token) in enumerate(candidates):
            answer = Written([*before[parent].ids], total)
            length = len(answer.ids) + 1
            if ends.end(self.row, answer, token) or last:
                # An end that others outrank does not count; its place is another's.
                if rank < beams:
                    self.finished.append((total / length, answer))
            elif len(self.open) < beams:
                self.open.append(answer)
                self.parents.append(parent)
        self.finished = sorted(self.finished, key=lambda scored: -scored[0])[:beams]

    def done(self, beams: int) -> bool:
        if not self.open:
            return True
        best = self.open[0]
        return len(self.finished) == beams and best.log_probability / len(best.ids) <= self.finished[-1][0]


def search(  # noqa: PLR0913 - by name, all of them
    model: Any, prompts: Sequence[Sequence[int]], *, beams: int, max_new_tokens: int, ends: Ends, pad_id: int
) -> list[Written]:
    """Return the best answer to each prompt."""
    import torch

    searches = [_Search(row) for row in range(len(prompts))]
    with torch.inference_mode():
        prefill = read_prompts(model, prompts, pad_id)
        logits, active, widths = prefill.next_logits, searches, [1] * len(prompts)
        # So many that enough of them go on, whichever of the others end.
        most = beams * (1 + max(1, len(ends.ids)))
        for step in range(max_new_tokens):
            for one, candidates in zip(active, _candidates(logits, active, most), strict=True):
                one.take(candidates, beams, ends, last=step == max_new_tokens - 1)
            staying, rows, at = [], [], 0
            for one, width in zip(active, widths, strict=True):
                if not one.done(beams):
                    staying.append(one)
                    rows += [at + parent for parent in one.parents]
                at += width
            if not staying:
                break
            active, widths = staying, [len(one.open) for one in staying]
            prefill.select(torch.tensor(rows, device=model.device))
            tokens = [answer.ids[-1] for one in active for answer in one.open]
            logits = prefill.go_on(torch.tensor(tokens, device=model.device))
    return [one.finished[0][1] for one in searches]


def _candidates(logits: torch.Tensor, active: Sequence[_Search], most: int) -> list[list[tuple[float, int, int]]]:
    """Return for each question the best ways to go on: log-probability, open answer, token."""
    import torch

    so_far = torch.tensor([answer.log_probability for one in active for answer in one.open], device=logits.device)
    totals = logits.log_softmax(dim=1) + so_far[:, None]
    parts = torch.split(totals, [len(one.open) for one in active])
    best = [part.flatten().topk(min(most, logits.shape[1])) for part in parts]
    values, places = torch.stack([one.values for one in best]), torch.stack([one.indices for one in best])
    parents, tokens = places // logits.shape[1], places % logits.shape[1]
    return [
        list(zip(*columns, strict=True))
        for columns in zip(values.tolist(), parents.tolist(), tokens.tolist(), strict=True)
    ]
