"""What a model answered, as plain data: JSON wherever it stands in the text, else YAML without tags and aliases."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

MOST_CANDIDATES = 100
# An answer may be made so that every brace in it costs time.
MOST_TRIES = 2000
MOST_YAML = 1 << 16


class _PlainLoader(yaml.SafeLoader):
    """SafeLoader that knows no aliases either: a few lines of them unfold to more than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("an alias")
        return super().compose_node(parent, index)


def candidates(text: str) -> list[dict[str, Any]]:
    """Return every object of an answer that says something of a template, whole ones of a list cut short as well."""
    found = list(_json_objects(text)) or list(_yaml_objects(text))
    return [one for one in found if "instruction" in one][:MOST_CANDIDATES]


def _json_objects(text: str) -> Iterator[dict[str, Any]]:
    decoder, at = json.JSONDecoder(), 0
    for _ in range(MOST_TRIES):
        at = text.find("{", at)
        if at < 0:
            return
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        if isinstance(value, dict) and "instruction" not in value:
            # {"templates": [...]}: what is looked for lies further in.
            at += 1
            continue
        yield value
        at = end


def _yaml_objects(text: str) -> Iterator[dict[str, Any]]:
    fenced = re.findall(r"```(?:ya?ml)?\n(.*?)```", text, re.DOTALL)
    for part in fenced or [text]:
        try:
            documents = list(yaml.load_all(part[:MOST_YAML], Loader=_PlainLoader))
        except (yaml.YAMLError, ValueError, RecursionError):
            continue
        for document in documents:
            yield from (
                one for one in (document if isinstance(document, list) else [document]) if isinstance(one, dict)
            )
