"""Text to token ids: what begins a prompt, what ends an answer, and which text may hold special tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from secrets import token_hex
from typing import TYPE_CHECKING, Any
from unicodedata import category, normalize

from rc_pipeline.prompting.dialogue import INPUT, OWN, Composed, Form
from rc_pipeline.prompting.template import PromptError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WORDS_REMEMBERED = 200_000


class TextEncoder:
    """A tokenizer as one prompt template needs it.

    Special tokens are read in the template's own words alone; in a row, "</s>" is four characters. The tokenizer is
    copied at its first use: one that is changed later must be loaded anew.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, form: Form) -> None:
        self.tokenizer, self.form = tokenizer, form
        named = named_tokens(tokenizer, form.own_text())
        self._backend, self._stand_ins, self._ids = _backend(tokenizer, named)
        self._named = re.compile("|".join(map(re.escape, named))) if named else None
        self._front = [] if form.begun else front_ids(tokenizer)
        self.end_text = form.end_of_answer or tokenizer.eos_token
        if self.end_text is None:
            raise PromptError(
                f"tokenizer {tokenizer.name_or_path or type(tokenizer).__name__}: eos_token: None; "
                "answers need an end, so name one in tokenizer_config.json"
            )
        self.end_id = int(tokenizer.backend_tokenizer.token_to_id(self.end_text))
        # Where it ends answers too, it says nothing about what they hold.
        self._unknown = tokenizer.unk_token_id if tokenizer.unk_token_id != self.end_id else None
        self._back = [int(tokenizer.eos_token_id)] if form.ends_prompt else []
        before, self._after = form.around_answer()
        # A tokenizer that marks the beginning of every text with a space would make two of them.
        self._before = before[1:] if before.startswith(" ") and self._marks_spaces() else before

    @property
    def front_tokens(self) -> int:
        """How many ids stand in front of every prompt."""
        return len(self._front)

    def text(self, prompt: Composed) -> str:
        """Return a prompt's text for this encoder, the template's special tokens replaced by what stands for them."""
        if self._named is None:
            return prompt.text()
        return "".join([self._own(text) if kind == OWN else text for text, kind in prompt.pieces])

    def input_at(self, prompt: Composed) -> int | None:
        """Return where the input begins in `text`, or would without the blanks it lost; None where it has no place."""
        position = 0
        for text, kind in prompt.pieces:
            if kind == INPUT:
                return position - prompt.lost
            position += len(self._own(text) if kind == OWN else text)
        return None

    def prompts(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of whole prompts, begun as the tokenizer begins a text; an encoder's are ended too."""
        encodings = self._backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return [self._framed(self._real(encoding.ids)) for encoding in encodings]

    def token_ends(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the characters of each text where its tokens end."""
        encodings = self._backend.encode_batch(list(texts), add_special_tokens=False)
        return [[end for _, end in encoding.offsets] for encoding in encodings]

    def answers(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of answers or options, each ended; what training and option scores both read."""
        before, after = self._own(self._before), self._own(self._after)
        framed = [f"{before}{text}{after}" for text in texts]
        encodings = self._backend.encode_batch_fast(framed, add_special_tokens=False)
        return [[*self._real(encoding.ids), self.end_id] for encoding in encodings]

    def can_write(self, answer: Sequence[int]) -> bool:
        """Tell whether an answer has a token for each of its characters."""
        return self._unknown not in answer

    def read_as(self, spans: Sequence[Sequence[int]], outputs: Sequence[str]) -> list[bool]:
        """Tell of each span of ids whether it decodes to the output and its end, nothing else.

        A tokenizer that folds spaces or widths of letters, such as T5's, must read the same in both; one that loses
        more, such as the case, does not write this output.
        """
        texts = self.tokenizer.backend_tokenizer.decode_batch([list(span) for span in spans], skip_special_tokens=False)
        wanted = [f"{self._before}{output}{self._after}" for output in outputs]
        return [
            text == f"{want}{self.end_text}" or (text.endswith(self.end_text) and self._equal(text, want))
            for text, want in zip(texts, wanted, strict=True)
        ]

    def _equal(self, ended: str, text: str) -> bool:
        read = ended.removesuffix(self.end_text)
        one, other = self._backend.encode_batch_fast([read, text], add_special_tokens=False)
        return bool(one.ids == other.ids) and self.can_write(one.ids) and _letters(read) == _letters(text)

    def _framed(self, ids: list[int]) -> list[int]:
        # A template that writes its BOS or its end out has it already.
        front = [] if ids[: len(self._front)] == self._front else self._front
        back = [] if ids[len(ids) - len(self._back) :] == self._back else self._back
        return [*front, *ids, *back] if front or back else ids

    def _own(self, text: str) -> str:
        return text if self._named is None else self._named.sub(lambda found: self._stand_ins[found.group()], text)

    def _real(self, ids: list[int]) -> list[int]:
        real = self._ids
        return [real.get(token, token) for token in ids] if real else ids

    def _marks_spaces(self) -> bool:
        return self._backend.encode("a", add_special_tokens=False).tokens[0][0] in "▁Ġ"


def _letters(text: str) -> str:
    """Return what is left of a text when spaces, control characters and widths are no matter."""
    return "".join(char for char in normalize("NFKC", text) if category(char)[0] not in "CZ")


def special_texts(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Return the special tokens as they are written."""
    return sorted(
        {*tokenizer.all_special_tokens, *(str(t) for t in tokenizer.added_tokens_decoder.values() if t.special)}
    )


def named_tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[str, ...]:
    """Return the added tokens, special or not, that a text names; the longest first, as they are matched."""
    added = {str(token) for token in tokenizer.added_tokens_decoder.values()}
    return tuple(sorted((token for token in added if token and token in text), key=lambda token: (-len(token), token)))


def front_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the ids that the tokenizer itself puts in front of a text, such as BOS."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    full = tokenizer("a", add_special_tokens=True)["input_ids"]
    for start in range(len(full) - len(bare) + 1):
        if full[start : start + len(bare)] == bare:
            return list(full[:start])
    return []


@lru_cache(maxsize=8)
def _backend(tokenizer: PreTrainedTokenizerBase, named: tuple[str, ...]) -> tuple[Any, dict[str, str], dict[Any, Any]]:
    """Return a copy that reads special tokens as text, what stands for the named ones, and the ids these stand for."""
    from tokenizers import AddedToken, Tokenizer

    whole = tokenizer.backend_tokenizer
    data, nonce = json.loads(whole.to_str()), token_hex(8)
    for token in data["added_tokens"]:
        # Those that are not special would be found in rows whatever is asked for.
        token["special"] = token["special"] or token["content"] in named
    if data["model"]["type"] == "Unigram":
        _hide_special_pieces(data, nonce)
    copy = Tokenizer.from_str(json.dumps(data))
    copy.no_padding()
    copy.no_truncation()
    copy.encode_special_tokens = True
    if hasattr(copy.model, "_resize_cache"):
        # A corpus has more words than the 10,000 that BPE remembers by default.
        copy.model._resize_cache(WORDS_REMEMBERED)
    known = {str(token): token for token in tokenizer.added_tokens_decoder.values()}
    stand_ins = {text: f"{nonce}x{i}x" for i, text in enumerate(named)}
    for text, stand_in in stand_ins.items():
        flags = {flag: getattr(known[text], flag) for flag in ("lstrip", "rstrip", "single_word", "normalized")}
        copy.add_tokens([AddedToken(stand_in, special=False, **flags)])
    ids = {copy.token_to_id(stand_in): whole.token_to_id(text) for text, stand_in in stand_ins.items()}
    return copy, stand_ins, ids


def _hide_special_pieces(data: dict[str, Any], nonce: str) -> None:
    """Rename special tokens under their ids: Unigram finds every piece of its vocabulary in any text, "</s>" too."""
    special = {token["content"] for token in data["added_tokens"] if token["special"]}
    for token in data["added_tokens"]:
        if token["special"]:
            token["content"] = nonce + token["content"]
    for piece in data["model"]["vocab"]:
        if piece[0] in special:
            piece[0] = nonce + piece[0]
