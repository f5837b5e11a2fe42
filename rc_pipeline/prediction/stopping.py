"""Where an answer ends besides its end token: at the words with which the prompt template begins another turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from rc_pipeline.prompting.template import Prompt, parse

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from rc_pipeline.prompting.dialogue import Form


def marks_of(form: Form, *, solved: bool) -> tuple[str, ...]:
    """Return what begins another turn, and what parts solved examples where there are any; never a full stop.

    A tokenizer's chat template has a token for it, which ends answers anyway.
    """
    if not isinstance(form, Prompt):
        return ()
    found = set()
    for text in (form.prompt_input, form.prompt_no_input):
        before = takewhile(lambda piece: piece != ("", "instruction"), parse(text))
        lines = [line.strip() for own, _ in before for line in own.splitlines()]
        named = [line for line in lines if any(character.isalnum() for character in line)]
        found |= {*named[-1:]}
    if solved and form.turn is None:
        found.add(form.separator)
    return tuple(sorted(found))


def before_mark(text: str, marks: Sequence[str]) -> str:
    """Return what stands before the first mark, white space around an answer left aside."""
    text = text.lstrip()
    ends = [at for mark in marks if (at := text.find(mark)) >= 0]
    return text[: min(ends, default=len(text))].strip()


def mark_finder(
    tokenizer: PreTrainedTokenizerFast, marks: Sequence[Sequence[str]]
) -> Callable[[int, list[int]], bool] | None:
    """Return what tells of a row and its tokens whether a mark ends them; None where no row has a mark."""
    if not any(marks):
        return None
    decode = tokenizer.backend_tokenizer.decode
    # A mark has at most one token a byte; one more may hold its beginning.
    windows = [1 + max((len(mark.encode()) for mark in own), default=0) for own in marks]

    def reached(row: int, ids: list[int]) -> bool:
        own = marks[row]
        if not own:
            return False
        tail = decode(ids[-windows[row] :], skip_special_tokens=True)
        # White space in front of an answer, as separators are, ends nothing.
        return any(mark in tail and mark in decode(ids, skip_special_tokens=True).lstrip() for mark in own)

    return reached
