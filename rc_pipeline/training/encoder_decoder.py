"""The loss of models whose encoder reads the prompt and whose decoder writes the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rc_pipeline.training.objective import Objective

if TYPE_CHECKING:
    import torch

    from rc_pipeline.prompting.encoding import Encoded


@dataclass(frozen=True)
class AnswerObjective(Objective):
    """The loss on answers alone: there is none on prompts, which the encoder sees as a whole.

    Padded at the right, prompts with a mask, since an encoder looks both ways; answers without, since a decoder does
    not look ahead.
    """

    def _logits(
        self, model: Any, rows: Sequence[Encoded], *, noisy: bool
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        prompts = [row.ids[: row.prompt_tokens] for row in rows]
        answers = [row.ids[row.prompt_tokens :] for row in rows]
        ids, mask = self._padded(prompts)
        wanted, keep = self._padded(answers)
        told, _ = self._padded([[model.config.decoder_start_token_id, *answer[:-1]] for answer in answers])
        inputs: dict[str, Any] = {"input_ids": ids.to(model.device)}
        if noisy:
            embedded = model.get_input_embeddings()(inputs["input_ids"])
            inputs = {"inputs_embeds": self._noisy(embedded, [len(prompt) for prompt in prompts])}
        with made_only_at(model, keep.to(model.device)):
            logits: torch.Tensor = model(
                **inputs,
                attention_mask=mask.long().to(model.device),
                decoder_input_ids=told.to(model.device),
                use_cache=False,
            ).logits
        return logits, wanted[keep].to(model.device), None

    def _padded(self, texts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ids in rows of one length, and which of them are real."""
        import torch

        longest = max(map(len, texts))
        ids = torch.tensor([[*text, *[self.pad_id] * (longest - len(text))] for text in texts])
        return ids, torch.arange(longest)[None] < torch.tensor([len(text) for text in texts])[:, None]


@contextmanager
def made_only_at(model: Any, keep: torch.Tensor) -> Iterator[None]:
    """Hand the head only what stands at these positions; T5 takes no `logits_to_keep`."""
    handle = model.get_output_embeddings().register_forward_pre_hook(lambda _, given: (given[0][keep],))
    try:
        yield
    finally:
        handle.remove()
