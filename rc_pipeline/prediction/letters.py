"""Which option an answer means: by the label that the options show, such as `A.`, `(b)` or `3:`, or by its words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

EMPTY, NONE, SEVERAL = "empty_answer", "no_choice", "two_choices"
_LABEL = re.compile(r"^\s*[(\[]?\s*([A-Za-z1-9甲乙丙丁戊己])\s*(?:[.):\]、]|$)")
_CUE = r"(?:answer|option|choice|choose|select|pick|答案|选项|选择|选)(?:\s+(?:is|are)\b|是|为)?[\s:*\"'(]*"
_AND = r"\s*(?:,|/|&|、|\band\b|\bor\b|和|或|与)\s*"
# Letters that are words of their own say nothing at the beginning of a sentence.
_WORDS = "AI"


def labels_of(choices: Sequence[str]) -> list[str]:
    """Return the label that each option begins with, or nothing where some have none or share one."""
    found = [_LABEL.match(_folded(choice)) for choice in choices]
    labels = [match.group(1) for match in found if match]
    return labels if len({label.casefold() for label in labels}) == len(choices) else []


def choice_in(text: str, choices: Sequence[str]) -> tuple[int | None, str | None]:
    """Return the option that a text names, or None and why: it names none, or more than one."""
    text = _folded(text)
    if not text:
        return None, EMPTY
    labels, options = labels_of(choices), [_folded(choice) for choice in choices]
    words = [_bare(_LABEL.sub("", option, count=1) if labels else option) for option in options]
    whole = _bare(text)
    exact = [i for i, option in enumerate(options) if whole in (_bare(option), words[i])]
    if len(exact) == 1:
        return exact[0], None
    named = {i for i, label in enumerate(labels) if _mention(label, "".join(labels)).search(text)}
    found = named | _said(whole, words)
    if len(found) == 1:
        return found.pop(), None
    return None, SEVERAL if found else NONE


def _said(text: str, words: Sequence[str]) -> set[int]:
    """Return the options whose words stand in a text, but for those that are a part of another one's."""
    there = {i for i, own in enumerate(words) if own and re.search(rf"(?<!\w){re.escape(own)}(?!\w)", text)}
    return {i for i in there if not any(words[i] in words[j] and words[i] != words[j] for j in there)}


@lru_cache(maxsize=256)
def _mention(label: str, labels: str) -> re.Pattern[str]:
    """Return how a text names a label: in brackets, with its mark, behind a cue, beside another one, or by itself."""
    one, other = re.escape(label), f"[{re.escape(labels)}]"
    ways = [
        rf"[(\[]\s*(?i:{one})\s*[)\]]",
        rf"(?<![\w.])(?i:{one})\s*(?:[.):\]、](?!\w)|项)",
        rf"(?i:{_CUE}{one})(?![A-Za-z0-9'])",
        rf"(?<!\w){one}{_AND}{other}(?![A-Za-z0-9])",
        rf"(?<!\w){other}{_AND}{one}(?![A-Za-z0-9])",
        rf"(?m:^\W*{one}\W*$)",
    ]
    if label.isupper() and label not in _WORDS:
        ways.append(rf"^\W*{one}\s")
    return re.compile("|".join(ways))


def _bare(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .。!！\"'*")


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()
