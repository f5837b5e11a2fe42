"""Prompt templates from plain data: a file's own texts, or the chat template of the model's tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rc_pipeline.prompting.template import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from rc_pipeline.prompting.dialogue import Form


def read_prompt(data: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase) -> Form:
    """Return the prompt template that the data describes, bound to the tokenizer where it is the tokenizer's."""
    from rc_pipeline.prompting.chat_template import ChatPrompt

    text = data.get("chat_template")
    if text is None:
        return Prompt.from_dict(data)
    return ChatPrompt.of_tokenizer(str(text), str(data.get("name", "prompt")), tokenizer)
