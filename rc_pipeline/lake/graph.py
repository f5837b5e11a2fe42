"""The lineage as data: what there is to build, and what each thing is built from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from rc_pipeline.lake.outcome import JSON


@dataclass(frozen=True)
class Need:
    """An upstream artifact, or only those of its files that match a pattern."""

    key: str
    only: str = "*"


@dataclass(frozen=True)
class Node:
    """One thing that can be built.

    `settings`, `needs`, `files` and `code` decide its content and make its fingerprint;
    `origins` (dotted prefix of a setting -> file a user edits) and `about` are for people.
    """

    key: str
    stage: str
    settings: Mapping[str, JSON] = field(default_factory=dict)
    needs: Mapping[str, Need] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    code: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, JSON] = field(default_factory=dict)


class UnknownKey(ValueError):
    """A key that names nothing in the lineage."""


class Graph:
    """Nodes by key, each after what it needs."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        given = {node.key: node for node in nodes}
        self.nodes: dict[str, Node] = {}
        for key in sorted(given):
            self._add(key, given, ())

    def _add(self, key: str, given: Mapping[str, Node], above: tuple[str, ...]) -> None:
        if key in self.nodes:
            return
        if key in above:
            raise ValueError(f"{key} needs itself: {' -> '.join([*above, key])}")
        for need in given[key].needs.values():
            self._add(need.key, given, (*above, key))
        self.nodes[key] = given[key]

    def __getitem__(self, key: str) -> Node:
        if key not in self.nodes:
            close = get_close_matches(key, self.nodes, n=1)
            hint = f"did you mean {close[0]}?" if close else "`rc-pipeline plan` lists the keys."
            raise UnknownKey(f"{key}: no such asset; {hint}")
        return self.nodes[key]

    def upstream(self, keys: Iterable[str]) -> list[str]:
        """Return the keys and all that they are built from, each after what it needs."""
        wanted: set[str] = set()
        waiting = list(keys)
        while waiting:
            key = waiting.pop()
            if key not in wanted:
                wanted.add(key)
                waiting += [need.key for need in self[key].needs.values()]
        return [key for key in self.nodes if key in wanted]
