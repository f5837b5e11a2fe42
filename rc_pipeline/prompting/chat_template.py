"""A tokenizer's own chat template as a prompt: its Jinja text, run in transformers' sandbox.

Row text goes in between marks that nobody can guess, so that what comes out tells the template's words from the
row's: special tokens are special in the template's words alone, and the passage can be found and cut.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from rc_pipeline.prompting.dialogue import INPUT, OWN, ROW, Composed, Dialogue, RowRefused, has_text
from rc_pipeline.prompting.template import PromptError
from rc_pipeline.prompting.tokens import named_tokens, special_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FROM_TOKENIZER = "tokenizer"
# Some templates write today's date; the same row must make the same ids on every day.
FIXED_DATE = "{%- macro strftime_now(format) -%}26 Jul 2024{%- endmacro -%}"
# What a mark says of the text after it.
SYSTEM, EARLIER, QUESTION, WORDS, ANSWER, TEMPLATE = "seqiat"
KINDS = {TEMPLATE: OWN, WORDS: INPUT}


@dataclass(frozen=True)
class ChatPrompt:
    """A chat template bound to the tokenizer that it belongs to."""

    name: str
    text: str
    tokenizer: PreTrainedTokenizerBase = field(compare=False, repr=False)
    # Set by the model that reads it; no part of the template.
    ends_prompt: bool = False
    end_of_answer: str | None = field(init=False, compare=False)
    _around: tuple[str, str] = field(init=False, compare=False)
    _mark: str = field(default_factory=lambda: token_hex(8), init=False, compare=False, repr=False)

    begun = True

    def __post_init__(self) -> None:
        before, after, end = self._answer_form()
        object.__setattr__(self, "_around", (before, after))
        object.__setattr__(self, "end_of_answer", end)

    @classmethod
    def of_tokenizer(cls, text: str, name: str, tokenizer: PreTrainedTokenizerBase) -> ChatPrompt:
        """Return the template with this text, or the tokenizer's own for "tokenizer"."""
        if text == FROM_TOKENIZER:
            own = tokenizer.chat_template
            own = own.get("default") if isinstance(own, Mapping) else own
            if not own:
                where = tokenizer.name_or_path or type(tokenizer).__name__
                raise PromptError(
                    f"prompt {name}: chat_template: {text!r}, and {where} has none; use a prompt template with "
                    "prompt_input, or put the model's chat_template.jinja beside its tokenizer.json"
                )
            text = str(own)
        if "strftime_now" in text and not text.startswith(FIXED_DATE):
            text = FIXED_DATE + text
        return cls(name, text, tokenizer)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: the template's text, so that it travels with what was trained on it."""
        return {"name": self.name, "chat_template": self.text}

    def compose(self, dialogue: Dialogue) -> Composed:
        """Write a dialogue down up to where the answer comes."""
        messages = self._messages(dialogue)
        try:
            pieces = self._run(messages, answering=True)
        except Exception as error:  # Jinja's errors, a template's own, and Python's from inside a template
            raise self._refused(dialogue, str(error)) from error
        marks = self._marks("".join(message["content"] for message in messages))
        wanted = Counter(marks[1::2])
        found = Counter(mark for _, mark in pieces[1:])
        if found != wanted:
            raise self._refused(dialogue, "a part is left out, or said twice")
        lost = len(dialogue.input) - len(dialogue.input.lstrip())
        return Composed([(text, KINDS.get(mark, ROW)) for text, mark in pieces], lost)

    def around_answer(self) -> tuple[str, str]:
        """Return what the template writes between its prompt and an answer, and before the answer's end."""
        return self._around

    def own_text(self) -> str:
        """Return the template and every special token, which it may name by variables."""
        return "\n".join([self.text, *special_texts(self.tokenizer)])

    def _messages(self, dialogue: Dialogue) -> list[dict[str, str]]:
        messages = [self._message("system", SYSTEM, dialogue.system)] if dialogue.system else []
        for exchange in (*dialogue.shots, *dialogue.history):
            asked = _user_words(exchange.instruction, exchange.input if has_text(exchange.input) else "")
            messages.append(self._message("user", EARLIER, asked))
            messages.append(self._message("assistant", EARLIER, exchange.output))
        instruction = self._marked(QUESTION, dialogue.instruction)
        words = self._marked(WORDS, dialogue.input) if dialogue.with_input else ""
        return [*messages, {"role": "user", "content": _user_words(instruction, words)}]

    def _message(self, role: str, mark: str, text: str) -> dict[str, str]:
        return {"role": role, "content": self._marked(mark, text)}

    def _marked(self, mark: str, text: str) -> str:
        """Mark a text inside its outer white space, which templates often strip."""
        core = text.strip()
        if not core:
            return text
        lead = len(text) - len(text.lstrip())
        return f"{text[:lead]}{self._mark}{mark}{core}{self._mark}{TEMPLATE}{text[lead + len(core) :]}"

    def _marks(self, text: str) -> list[str]:
        """Split at the marks: a text, then each mark and the text after it."""
        return re.split(rf"{self._mark}([{SYSTEM}{EARLIER}{QUESTION}{WORDS}{ANSWER}{TEMPLATE}])", text)

    def _run(self, messages: list[dict[str, str]], *, answering: bool) -> list[tuple[str, str]]:
        """Return a conversation as texts, each with what it is."""
        text = self.tokenizer.apply_chat_template(
            messages, chat_template=self.text, tokenize=False, add_generation_prompt=answering
        )
        first, *rest = self._marks(str(text))
        return [(first, TEMPLATE), *zip(rest[1::2], rest[::2], strict=True)]

    def _answer_form(self) -> tuple[str, str, str | None]:
        """Find out by an example what comes before an answer, after it, and which token ends it."""
        asked, answered = self._message("user", QUESTION, "a"), self._message("assistant", ANSWER, "a")
        try:
            prompt = "".join(text for text, _ in self._run([asked], answering=True))
            said = self._run([asked, answered], answering=False)
        except Exception as error:  # as in compose
            raise PromptError(f"prompt {self.name}: its chat template fails ({error}); mend or replace it") from error
        at = next((i for i, (_, mark) in enumerate(said) if mark == ANSWER), len(said))
        before = "".join(text for text, _ in said[:at])
        if at == len(said) or not (before.startswith(prompt) or prompt.startswith(before)):
            raise PromptError(
                f"prompt {self.name}: its chat template does not put answers behind its own prompt for them "
                f"({prompt[-40:]!r}); use a prompt template with prompt_input"
            )
        after = "".join(text for text, _ in said[at + 1 :])
        ends = "|".join(map(re.escape, named_tokens(self.tokenizer, self.own_text())))
        end = re.search(ends, after) if ends else None
        if end is None:
            return before[len(prompt) :], "", None
        return before[len(prompt) :], after[: end.start()], end.group()

    def _refused(self, dialogue: Dialogue, why: str) -> RowRefused | PromptError:
        bare = replace(dialogue, system="", shots=(), history=())
        if dialogue == bare or not self._takes(bare):
            return PromptError(f"prompt {self.name}: its chat template fails ({why}); mend or replace it")
        lone = dialogue.exchanges() == 0 or self._takes(replace(dialogue, system=""))
        part = "system" if lone else "history"
        return RowRefused(
            f"{part}_has_no_place",
            f"prompt {self.name}: its chat template has no place for a {part} text ({why}); "
            f"leave it out, or use another prompt template",
        )

    def _takes(self, dialogue: Dialogue) -> bool:
        try:
            self.compose(dialogue)
        except (RowRefused, PromptError):
            return False
        return True


def _user_words(instruction: str, words: str) -> str:
    if not has_text(words):
        return instruction
    return f"{instruction}\n\n{words}" if has_text(instruction) else words
