"""A language model of the catalog, asked on this machine."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.proposing.asking import RequestTooLong

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

MOST_NEW_TOKENS = 1024
TEMPERATURE, TOP_P = 0.8, 0.95


class LocalModel:
    """A base model with its own prompt template."""

    def __init__(self, name: str, folder: Path, *, family: str, prompt: dict[str, Any], context_tokens: int) -> None:
        self.name, self._folder, self._family, self._prompt = name, folder, family, prompt
        self._new_tokens = min(MOST_NEW_TOKENS, context_tokens // 2)
        self._context_tokens = context_tokens

    def ask(self, request: str, seed: int) -> str:
        """Return what the model writes on; raises RequestTooLong."""
        import torch

        from rc_pipeline.models.families import ENCODER_DECODERS
        from rc_pipeline.prompting.encoding import PromptTooLong, encode
        from rc_pipeline.prompting.reading import read_prompt
        from rc_pipeline.prompting.tokens import TextEncoder

        row = {"row_id": "the request", "instruction": request}
        encoder = self._family in ENCODER_DECODERS
        form = read_prompt(self._prompt, self._tokenizer, ends_prompt=encoder)
        try:
            encoded = encode(
                row, self._tokenizer, form, max_tokens=self._context_tokens, room_for_answer=self._new_tokens,
                with_answer=False,
            )  # fmt: skip
        except PromptTooLong as error:
            raise RequestTooLong(
                f"{self.name} reads {self._context_tokens} tokens, {self._new_tokens} of them its answer, and the "
                "shortest request is longer; ask a model that reads more"
            ) from error
        torch.manual_seed(seed)
        ids = torch.tensor([list(encoded.ids)], device=self._model.device)
        # The checkpoint's own wishes are left aside: what is asked for here is variety.
        written: Any = self._model.generate(  # type: ignore[operator]
            ids, attention_mask=torch.ones_like(ids), do_sample=True, temperature=TEMPERATURE, top_p=TOP_P, top_k=0,
            repetition_penalty=1.0, max_new_tokens=self._new_tokens, pad_token_id=self._tokenizer.eos_token_id,
            eos_token_id=sorted({self._tokenizer.eos_token_id, TextEncoder(self._tokenizer, form).end_id}),
        )  # fmt: skip
        # A decoder writes on behind the prompt; behind an encoder it begins a text of its own.
        answer = written[0] if encoder else written[0, ids.shape[1] :]
        return str(self._tokenizer.decode(answer, skip_special_tokens=True))

    @cached_property
    def _tokenizer(self) -> PreTrainedTokenizerFast:
        from rc_pipeline.models.loading import load_tokenizer

        return load_tokenizer(self._folder)

    @cached_property
    def _model(self) -> PreTrainedModel:
        from rc_pipeline.models.loading import load_model

        return load_model(self._folder, family=self._family)
