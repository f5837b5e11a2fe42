"""Why an artifact no longer fits: the file, the field, the upstream that changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rc_pipeline.lake.graph import Node

SHOWN = 6


def what_changed(node: Node, before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return one line that names the differences between two sets of inputs; of many of a kind, the first."""
    return "; ".join(
        [
            *_settings(node, before["settings"], now["settings"]),
            *_named("input file", before["files"], now["files"]),
            *_named("code", before["code"], now["code"]),
            *_upstreams(before["needs"], now["needs"]),
        ]
    )


def _settings(node: Node, before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    by_file: dict[str, list[str]] = {}
    for name, verb in _changes(before, now):
        prefix = _longest_prefix(name, node)
        field = name.removeprefix(prefix).lstrip(".") or name
        by_file.setdefault(node.origins.get(prefix, "setting"), []).append(f"{field} {verb}")
    return [f"{file}: {_listed(fields)}" for file, fields in sorted(by_file.items())]


def _changes(before: dict[str, Any], now: dict[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted name of each setting that changed; what came or went as a whole is one."""
    for name in changed_names(before, now):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _changes(old, new, f"{within}{name}.")
        else:
            yield within + name, "added" if name not in before else "removed" if name not in now else "changed"


def _listed(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:SHOWN])} and {more} more"


def _longest_prefix(name: str, node: Node) -> str:
    fitting = [prefix for prefix in node.origins if name == prefix or name.startswith(prefix + ".") or prefix == ""]
    return max(fitting, key=len, default="")


def _named(kind: str, before: dict[str, str], now: dict[str, str]) -> list[str]:
    changed = changed_names(before, now)
    return [f"{kind} changed: {_listed(changed)}"] if changed else []


def changed_names(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return the names that were added, removed, or stand for something else now."""
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def _upstreams(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    changed = {
        need["key"] + ("" if need["only"] == "*" else f" ({need['only']})")
        for role, need in now.items()
        if before.get(role, {}).get("content") != need["content"]
    }
    return [f"upstream changed: {_listed(sorted(changed))}"] if changed else []


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested settings as {dotted name: value}."""
    if isinstance(value, dict) and value:
        flat: dict[str, Any] = {}
        for name, inner in value.items():
            flat |= flatten(inner, f"{prefix}.{name}" if prefix else str(name))
        return flat
    return {prefix: value}
