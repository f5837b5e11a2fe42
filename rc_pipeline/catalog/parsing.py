"""YAML and JSON text to plain data, refusing what is easily misread."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from rc_pipeline.catalog.problems import Problem, shown


class _Unreadable(ValueError):
    """A file that is no mapping of names to values."""

    def __init__(self, field: str, value: str, remedy: str) -> None:
        super().__init__(remedy)
        self.field, self.value, self.remedy = field, value, remedy


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2: `no` and 1:30 are text, 5e-3 is a number, keys are unique."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own name)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Compared before merges are resolved, since a key may override the one that `<<` brings.
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    where = f"line {key.start_mark.line + 1}"
                    raise _Unreadable(where, shown(key.value), "this key is here twice; keep one of them")
                seen.add(key.value)
        return node


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    # A longer row of digits is a checksum or a commit hash, and text.
    ("int", r"[-+]?[0-9]{1,18}", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]{1,18}|[0-9]{1,18}\.[0-9]{0,18})([eE][-+]?[0-9]{1,3})?|[-+]?[0-9]{1,18}[eE][-+]?[0-9]{1,3}",
        list("-+.0123456789"),
    ),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


def _construct_int(_: _Loader, node: yaml.Node) -> int:
    if not isinstance(node, yaml.ScalarNode):
        raise _Unreadable(f"line {node.start_mark.line + 1}", "", "!!int is for a single number; remove the tag")
    # SafeLoader reads a leading zero as octal; YAML 1.2 does not.
    return int(node.value)


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def read_mapping(path: Path, file: str) -> dict[str, Any] | Problem:
    """Return what a YAML or JSON file says, or the problem that keeps it from being read."""
    try:
        text = _text(path)
        data = _from_json(text) if path.suffix == ".json" else _from_yaml(text)
        if not isinstance(data, dict):
            what = "nothing" if data is None else f"a {type(data).__name__}"
            raise _Unreadable("", "", f"the file holds {what}; write one `name: value` a line")
        for key in data:
            if not isinstance(key, str):
                raise _Unreadable(str(key), "", "field names are text; put this one in quotes or mend it")
    except _Unreadable as error:
        return Problem(file, error.field, error.value, error.remedy)
    return data


def line_of(path: Path, field: str) -> int:
    """Return the line of a file on which a field such as runs.tuned.model stands, 0 when that cannot be told."""
    try:
        # JSON is YAML too, as far as its lines are concerned.
        node = yaml.compose(_text(path), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return 0
    line, rest = 0, field
    while node is not None and rest:
        found = _below(node, rest)
        if found is None:
            break
        line, node, rest = found
    return line


def _below(node: yaml.Node, field: str) -> tuple[int, yaml.Node, str] | None:
    """Return the line and the value of the key that a field begins with (a key may hold dots), and what is left."""
    if isinstance(node, yaml.MappingNode):
        entries = [(str(key.value), key.start_mark.line, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        entries = [(str(place), value.start_mark.line, value) for place, value in enumerate(node.value)]
    else:
        return None
    for key, line, value in sorted(entries, key=lambda entry: -len(entry[0])):
        if field == key or field.startswith(f"{key}."):
            return line + 1, value, field[len(key) + 1 :]
    return None


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _Unreadable("", "", f"cannot be read ({error.strerror}); mend its permissions or remove it") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _Unreadable(f"line {line}", hex(content[error.start]), "not UTF-8; save the file as UTF-8") from error


def _from_yaml(text: str) -> Any:
    loader = _Loader("")
    try:
        loader = _Loader(text)
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}" if mark else ""
        why = " ".join(part for part in (error.context, error.problem) if part)
        raise _Unreadable(where, "", f"broken YAML ({why}); mend this line or the one above it") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _Unreadable(
            f"line {line}", hex(ord(text[error.position])), "a character that YAML forbids; remove it"
        ) from error
    except RecursionError as error:
        raise _Unreadable("", "", "nested too deeply; flatten it") from error
    except _Unreadable:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _Unreadable("", "", f"a value that its tag cannot hold ({error}); remove the tag or mend it") from error
    finally:
        loader.dispose()


def _from_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise _Unreadable(
            f"line {error.lineno}", "", f"broken JSON ({error.msg}); mend this line or the one above it"
        ) from error
    except RecursionError as error:
        raise _Unreadable("", "", "nested too deeply; flatten it") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key, value in pairs:
        if key in data:
            raise _Unreadable(key, "", "this key is here twice; keep one of them")
        data[key] = value
    return data
