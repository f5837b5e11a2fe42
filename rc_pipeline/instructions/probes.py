"""Shortcut probes: ways to ask a question in which a model that reads would do worse, or no better.

What a probe changes in a template is said here, what it changes in rows in probing.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rc_pipeline.instructions.sandbox import UnfitTemplate, names_of, tested_names

QUESTION_ONLY, NO_PASSAGE = "question_only", "no_passage"
SHUFFLED_OPTIONS, OTHER_PASSAGE = "shuffled_options", "other_passage"
PROBES = (QUESTION_ONLY, NO_PASSAGE, SHUFFLED_OPTIONS, OTHER_PASSAGE)
# Each question once for each of its documents.
BY_DOCUMENT = "by_document"
# What may stand behind a split in the name of an evaluation set, besides a held-out template.
WAYS_TO_ASK = (*PROBES, BY_DOCUMENT)
# Where the right option stands after a shuffle; no column of a dataset begins so.
NEW_LABEL = "_label"

_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n)+")


class UnfitProbe(ValueError):
    """A probe that says nothing of these templates; the message says why and what to do."""


def probe_template(
    probe: str, template: Mapping[str, Any], passage_column: str, columns: Sequence[str]
) -> dict[str, Any]:
    """Return the template that a probe asks with, or raise why it cannot."""
    if probe == SHUFFLED_OPTIONS:
        option_columns(template, columns)
        # In an output, `label` is where the right option stands, whatever the column is called that says it.
        if fixed := names_of(template["label"]) & names_of(template["output"]) - {"label"}:
            raise UnfitProbe(f"its output shows {min(fixed)}, which an order of options does not change; name label")
        return {**template, "label": f"{{{{ {NEW_LABEL} }}}}"}
    shown = names_of(template["instruction"]) | names_of(template.get("input", ""))
    if not passage_column or passage_column not in shown:
        raise UnfitProbe("its questions show no passage; name a dataset whose evaluating template shows one")
    if shown == {passage_column}:
        raise UnfitProbe("its template shows the passage and nothing else, so there is no question to ask without it")
    return without_passage(template, passage_column) if probe == QUESTION_ONLY else dict(template)


def without_passage(template: Mapping[str, Any], passage_column: str) -> dict[str, Any]:
    """Return a template that shows no passage, and nothing that only belongs to it."""
    instruction = template.get("without_passage") or _cut("instruction", template["instruction"], passage_column)
    if not instruction.strip() or passage_column in names_of(instruction) - tested_names(instruction):
        raise UnfitProbe("no instruction is left without the passage; write one into the template's without_passage")
    return {**template, "instruction": instruction, "input": _cut("input", template.get("input", ""), passage_column)}


def _cut(field: str, source: str, passage_column: str) -> str:
    """Return a text without the paragraph of the passage, or without its lines where the paragraph says more.

    A text that asks whether there is a passage knows itself what to say where there is none.
    """
    if passage_column not in names_of(source) or passage_column in tested_names(source):
        return source
    try:
        kept = [_without_lines(paragraph, passage_column) for paragraph in _BLANK_LINES.split(source)]
        left = "\n\n".join(paragraph for paragraph in kept if paragraph.strip())
        if passage_column not in names_of(left):
            return left
    except UnfitTemplate:
        pass
    raise UnfitProbe(
        f"{field} of its evaluating template shows the passage in one line with other columns, or within a loop or "
        "condition; set the passage off by blank lines"
    )


def _without_lines(paragraph: str, passage_column: str) -> str:
    if passage_column not in paragraph or passage_column not in (shown := names_of(paragraph)):
        return paragraph
    if shown == {passage_column}:
        return ""
    return "\n".join(line for line in paragraph.split("\n") if names_of(line) != {passage_column})


def option_columns(template: Mapping[str, Any], columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that hold the options in order, or the one that holds the list of them."""
    choices = template.get("choices") or []
    if isinstance(choices, str):
        return (choices.strip("{} "),)
    if not choices:
        raise UnfitProbe("its evaluating template has no choices; name a dataset of multiple-choice questions")
    named = [names_of(text) for text in choices]
    if all(len(names) == 1 for names in named) and len(frozenset().union(*named)) == len(named):
        return tuple(name for names in named for name in names)
    numbered = tuple(f"answer{number}" for number in range(len(choices)))
    if set(numbered) <= set(columns):
        return numbered
    raise UnfitProbe(
        "the choices of its evaluating template name no columns, so it cannot be told which ones hold the options; "
        'write choices as ["{{ option_a }}", "{{ option_b }}"], or call the columns answer0, answer1, ...'
    )
