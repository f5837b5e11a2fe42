"""The request: what a template is, some that there are, and how many more are wanted. No row is ever in it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

FIELDS = {
    "system": "who the model is to be",
    "instruction": "what the model is told to do",
    "input": "the material that it is given",
    "choices": "the list of options, where the answer is one of them",
    "label": "the number of the right option, from 0",
    "rationale": "the reasoning before the answer",
    "answer_after": "the mark between the reasoning and the answer",
    "output": "the right answer",
}
NAMES = {"en": "English", "zh": "Chinese"}


class RequestTooLong(ValueError):
    """A request that a model cannot read."""


def shown_fields(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model is shown of a template, or may say of one."""
    return {name: template[name] for name in FIELDS if template.get(name)}


def request_text(examples: Sequence[Mapping[str, Any]], columns: Collection[str], language: str, count: int) -> str:
    """Return the request for `count` more templates in the manner of the examples."""
    used = [name for name in FIELDS if any(example.get(name) for example in examples)] or ["instruction", "output"]
    written = "\n".join(json.dumps(shown_fields(example), ensure_ascii=False) for example in examples)
    return (
        "Task templates turn the rows of a data set into instructions for a language model. "
        "A template is a JSON object with these fields:\n"
        + "".join(f"- {name}: {FIELDS[name]}\n" for name in used)
        + "In these texts {{ column }} stands for the row's value. "
        f"The columns are: {', '.join(columns)}. Nothing else stands in double braces"
        + (", except choices and label in output" if "choices" in used else "")
        + ".\n\nThese templates exist:\n"
        f"{written}\n\n"
        f"Write {count} more for the same task, with words in {NAMES.get(language, language)}. Each shows the same "
        "columns, but asks in another way: other words, another tone, another order or layout. Do not give the answer "
        "away before the output. Reply with a JSON list of such objects and nothing else."
    )
