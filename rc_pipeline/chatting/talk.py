"""A conversation with a model: what was said so far, as much of it as fits, and the answer as it is written."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from rc_pipeline.prediction.stopping import before_mark, marks_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from rc_pipeline.prediction.sampling import Sampling
    from rc_pipeline.prompting.dialogue import Form

HALF_A_CHARACTER = "\ufffd"


@dataclass
class Talk:
    """A model, its prompt template, and the turns so far; a template without turns is asked one question at a time."""

    model: Any
    tokenizer: PreTrainedTokenizerFast
    form: Form
    context_tokens: int
    max_new_tokens: int
    sampling: Sampling
    chance: Random = field(default_factory=lambda: Random(0))  # noqa: S311 - no secret
    system: str = ""
    history: list[list[str]] = field(default_factory=list)
    # Earlier turns that the last prompt had no room for.
    dropped: int = 0

    def __post_init__(self) -> None:
        self.has_turns = self._refusal(history=[["a", "a"]]) is None

    def instruct(self, system: str) -> None:
        """Take a system text; raises RowRefused where the template has no place for one."""
        refusal = self._refusal(system=system)
        if refusal is not None:
            raise refusal
        self.system = system

    def ask(self, text: str) -> Generator[str, None, None]:
        """Yield the answer piece by piece; what was said is remembered, even when nobody waits for the end."""
        ids, said = self.prompt_ids(text), ""
        try:
            for piece in self._pieces(ids):
                said += piece
                yield piece
        finally:
            if self.has_turns and said:
                self.history.append([text, said])

    def prompt_ids(self, text: str) -> list[int]:
        """Return the prompt of a question: the oldest turns go first where not all fit."""
        from rc_pipeline.prompting.encoding import encode

        front = getattr(self.model, "in_front", None)
        encoded = encode(
            {"instruction": text, "system": self.system, "history": self.history},
            self.tokenizer,
            self.form,
            max_tokens=self.context_tokens - (0 if front is None else front.get_seq_length()),
            room_for_answer=self.max_new_tokens,
            with_answer=False,
        )
        self.dropped = encoded.turns_dropped
        return list(encoded.ids)

    def _pieces(self, ids: list[int]) -> Iterator[str]:
        """Yield what is new of an answer: never half a character, nor what may be its end.

        It ends where answers to questions do: at the words with which the template begins another turn, too.
        """
        marks = marks_of(self.form, solved=False)
        written: list[int] = []
        shown = ""
        for token in self._tokens(ids):
            written.append(token)
            text = self._text(written)
            if any(mark in text for mark in marks):
                break
            whole = _without_begun(text.rstrip(HALF_A_CHARACTER).rstrip(), marks)
            if whole.startswith(shown) and whole != shown:
                yield whole[len(shown) :]
                shown = whole
        text = before_mark(self._text(written), marks)
        if text != shown and text.startswith(shown):
            yield text[len(shown) :]

    def _tokens(self, ids: list[int]) -> Iterator[int]:
        import torch

        from rc_pipeline.prediction.prefill import read_prompts
        from rc_pipeline.prediction.sampling import next_tokens

        ends = self._ends()
        pad = self.tokenizer.pad_token_id
        with torch.inference_mode():
            prefill = read_prompts(self.model, [ids], self.tokenizer.eos_token_id if pad is None else pad)
            logits = prefill.next_logits
            for left in range(self.max_new_tokens - 1, -1, -1):
                chosen = next_tokens(logits, self.sampling, [self.chance] if self.sampling.temperature else [])
                token = int(chosen[0])
                if token in ends:
                    return
                yield token
                if left:
                    logits = prefill.go_on(chosen)

    def _ends(self) -> Collection[int]:
        from rc_pipeline.prompting.tokens import TextEncoder

        named = getattr(self.model.generation_config, "eos_token_id", None)
        more = named if isinstance(named, list) else [] if named is None else [named]
        return {TextEncoder(self.tokenizer, self.form).end_id, self.tokenizer.eos_token_id, *more}

    def _text(self, ids: list[int]) -> str:
        text = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(text).lstrip()

    def _refusal(self, **parts: Any) -> Exception | None:
        from rc_pipeline.prompting.dialogue import RowRefused, read_dialogue

        try:
            self.form.compose(read_dialogue({"instruction": "a", **parts}))
        except RowRefused as refused:
            return refused
        return None


def _without_begun(text: str, marks: Sequence[str]) -> str:
    """Return a text without what may be the beginning of a mark at its end."""
    begun = (size for mark in marks for size in range(1, len(mark)) if text.endswith(mark[:size]))
    return text[: len(text) - max(begun, default=0)].rstrip()
