"""Text to token ids: what begins a prompt, what ends an answer, and which text may hold special tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rc_pipeline.prompting.template import Prompt, PromptError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class TextIds:
    """The ids of a text; `offsets` tells the characters of each id, where the tokenizer knows them."""

    ids: list[int]
    offsets: Callable[[], list[tuple[int, int]]] | None

    def ends_after(self, start: int) -> list[int] | None:
        """Return where tokens end, counted from the character `start`."""
        return None if self.offsets is None else [end - start for _, end in self.offsets()]


class TextEncoder:
    """A tokenizer as one prompt template needs it."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> None:
        self.tokenizer = tokenizer
        self._front = front_ids(tokenizer)
        # "</s>" in a row is text and must not end it. Only a template may name special tokens.
        own_text = prompt.literal_text()
        self._split_special = not any(token and token in own_text for token in tokenizer.all_special_tokens)

    def prompts(self, texts: Sequence[str]) -> list[TextIds]:
        """Return the ids of whole prompts, begun as the tokenizer begins a text."""
        if not texts:
            return []
        batch = _tokenise(self.tokenizer, texts, split_special=self._split_special)
        encodings: list[Any] = getattr(batch, "encodings", None) or [None] * len(texts)
        return [
            TextIds(self._begun(list(ids)), None if encoding is None else _offsets_of(encoding))
            for ids, encoding in zip(batch["input_ids"], encodings, strict=True)
        ]

    def answers(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of answers, each ended by EOS."""
        return answer_ids(texts, self.tokenizer)

    @property
    def bos_tokens(self) -> int:
        """How many ids stand in front of every prompt."""
        return len(self._front)

    def _begun(self, ids: list[int]) -> list[int]:
        # A template that writes its BOS out has it already.
        return ids if ids[: len(self._front)] == self._front else [*self._front, *ids]


def answer_ids(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    """Return the ids of answers or options, each ended by EOS; what training and option scores both read."""
    if not texts:
        return []
    if tokenizer.eos_token_id is None:
        raise PromptError(
            f"tokenizer {tokenizer.name_or_path or type(tokenizer).__name__}: eos_token: None; "
            "answers need an end, so name one in tokenizer_config.json"
        )
    batch = _tokenise(tokenizer, texts, split_special=True)
    return [[*ids, tokenizer.eos_token_id] for ids in batch["input_ids"]]


def front_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the ids that the tokenizer itself puts in front of a text, such as BOS."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    full = tokenizer("a", add_special_tokens=True)["input_ids"]
    for start in range(len(full) - len(bare) + 1):
        if full[start : start + len(bare)] == bare:
            return list(full[:start])
    return []


def _offsets_of(encoding: Any) -> Callable[[], list[tuple[int, int]]]:
    return lambda: list(encoding.offsets)


def _tokenise(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, split_special: bool) -> Any:
    return tokenizer(
        list(texts),
        add_special_tokens=False,
        split_special_tokens=split_special,
        return_attention_mask=False,
        truncation=False,
        padding=False,
        verbose=False,
    )
