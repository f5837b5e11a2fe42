"""Prompt templates from plain data: a file's own texts, or the chat template of the model's tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rc_pipeline.prompting.template import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from rc_pipeline.prompting.dialogue import Form


def read_prompt(data: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, *, ends_prompt: bool = False) -> Form:
    """Return the prompt template that the data describes, bound to the tokenizer where it is the tokenizer's.

    Models with an encoder (`families.ENCODER_DECODERS`) read a prompt as a text of its own: it `ends_prompt`.
    """
    from rc_pipeline.prompting.chat_template import ChatPrompt

    text = data.get("chat_template")
    if text is None:
        return replace(Prompt.from_dict(data), ends_prompt=ends_prompt)
    form = ChatPrompt.of_tokenizer(str(text), str(data.get("name", "prompt")), tokenizer)
    return replace(form, ends_prompt=ends_prompt) if ends_prompt else form
