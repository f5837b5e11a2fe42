"""What is minimised: the loss of some examples, with logits made where it is taken and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from rc_pipeline.prompting.encoding import Encoded

IGNORED = -100


@dataclass(frozen=True)
class Objective:
    """How examples become a loss.

    Examples stand in rows padded at the right, where a causal model's real tokens never look, or `packing` puts them
    end to end, told apart by positions that start anew. Neither needs a mask, and a mask would make packing leak.
    """

    pad_id: int
    label_smoothing: float = 0.0
    neftune_alpha: float | None = None
    # None: every labelled token counts the same.
    prompt_weight: float | None = None
    packing: bool = False
    bf16: bool = False
    # Positions that the model puts in front by itself, which have logits as well.
    tokens_in_front: int = 0

    def weight(self, rows: Sequence[Encoded]) -> float:
        """Return what the labelled tokens of the rows count together."""
        labelled = sum(len(row.ids) - _first_label(row) for row in rows)
        if self.prompt_weight is None:
            return labelled
        of_prompts = sum(max(0, row.prompt_tokens - _first_label(row)) for row in rows)
        return labelled - of_prompts + self.prompt_weight * of_prompts

    def summed_loss(self, model: Any, rows: Sequence[Encoded], *, training: bool) -> torch.Tensor:
        """Return the summed loss of some examples; noise and smoothing belong to training alone."""
        from torch.nn.functional import cross_entropy

        with self._precision(model.device.type):
            logits, wanted, weights = self._logits(model, rows, noisy=training and self.neftune_alpha is not None)
        smoothing = self.label_smoothing if training else 0.0
        if weights is None:
            return cross_entropy(logits.float(), wanted, reduction="sum", label_smoothing=smoothing)
        losses = cross_entropy(logits.float(), wanted, reduction="none", label_smoothing=smoothing)
        return (losses * weights).sum()

    def _logits(
        self, model: Any, rows: Sequence[Encoded], *, noisy: bool
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Return the logits where a label is wanted, these labels, and what each counts."""
        import torch

        ids, wanted, weights, positions = self._laid_out(rows, model.device)
        inputs: dict[str, Any] = {"input_ids": ids}
        if noisy:
            lengths = [len(row.ids) for row in rows]
            inputs = {"inputs_embeds": self._noisy(model.get_input_embeddings()(ids), lengths)}
        if positions is not None:
            inputs["position_ids"] = positions
        keep = wanted != IGNORED
        front = keep.new_zeros(len(keep), self.tokens_in_front)
        logits = model(**inputs, logits_to_keep=torch.cat([front, keep], dim=1), use_cache=False).logits
        return logits, wanted[keep], None if weights is None else weights[keep]

    def _precision(self, device: str) -> AbstractContextManager[Any]:
        import torch

        return torch.autocast(device, torch.bfloat16, enabled=self.bf16)

    def _laid_out(
        self, rows: Sequence[Encoded], device: Any
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """Return ids, the id wanted after each (or IGNORED), what it counts, and positions, None where plain."""
        import torch

        lengths = [len(row.ids) for row in rows]
        shape = (1, sum(lengths)) if self.packing else (len(rows), max(lengths))
        ids, wanted = torch.full(shape, self.pad_id), torch.full(shape, IGNORED)
        weights = None if self.prompt_weight is None else torch.ones(shape)
        start = 0
        for number, row in enumerate(rows):
            line, at = (0, start) if self.packing else (number, 0)
            end, first = at + len(row.ids), _first_label(row)
            ids[line, at:end] = torch.tensor(row.ids)
            # The label of a token is wanted where the token before it stands.
            wanted[line, at + first - 1 : end - 1] = ids[line, at + first : end]
            if weights is not None:
                weights[line, at : at + max(0, row.prompt_tokens - 1)] = self.prompt_weight or 0.0
            start += len(row.ids)
        positions = torch.cat([torch.arange(length) for length in lengths])[None].to(device) if self.packing else None
        return ids.to(device), wanted.to(device), None if weights is None else weights.to(device), positions

    def _noisy(self, embedded: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        """Add uniform noise to each example's embeddings, smaller the more numbers it is made of."""
        import torch

        width = embedded.shape[-1]
        sizes = [(self.neftune_alpha or 0.0) / (length * width) ** 0.5 for length in lengths]
        size = torch.tensor(sizes, device=embedded.device, dtype=embedded.dtype)
        if self.packing:
            size = size.repeat_interleave(torch.tensor(lengths, device=embedded.device))[None]
        else:
            size = size[:, None]
        return embedded + torch.empty_like(embedded).uniform_(-1, 1) * size[..., None]


def _first_label(row: Encoded) -> int:
    """Return the first labelled position; nothing comes before the first token that could say it."""
    return max(1, row.masked)
