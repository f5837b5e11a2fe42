"""What the code says: a hash that comments, docstrings and layout leave alone."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from importlib.util import cache_from_source
from pathlib import Path

from rc_pipeline.lake.durable import write_atomically

PROJECT = Path(__file__).resolve().parents[2]
# A module may be data as well: what is written in it decides what is made of it.
SUFFIXES = (".py", ".yaml")
# Parsing takes half of a plan's time, so what a text came to is remembered, by its bytes and by who had read them: this
# file and this Python. The files themselves are read each time, for an edit may leave size and time as they were.
MEMORY = Path(cache_from_source(__file__)).with_suffix(".json")
MANY = 5000


def code_hashes(modules: Iterable[str], root: Path = PROJECT) -> dict[str, str]:
    """Return {file: hash} for modules and, for packages, every module inside them."""
    known = _known()
    before = len(known)
    found = {}
    for path in code_files(modules, root):
        found[str(path)[len(str(root)) + 1 :]] = _hash(path.read_bytes(), path.suffix, known)
    if len(known) > before and not sys.dont_write_bytecode:
        with suppress(OSError):
            write_atomically(MEMORY, json.dumps(known, sort_keys=True, indent=0).encode())
    return found


def code_files(modules: Iterable[str], root: Path = PROJECT) -> list[Path]:
    """Return the source files of modules and packages, each once, in order."""
    files: set[str] = set()
    for module in modules:
        base = root.joinpath(*module.split("."))
        if base.is_dir():
            for folder, _, names in os.walk(base):
                files.update(f"{folder}/{name}" for name in names if name.endswith(".py"))
        else:
            file = next((file for end in SUFFIXES if (file := base.with_suffix(end)).is_file()), None)
            if file is None:
                raise FileNotFoundError(f"{base}: a stage declares module {module}, which does not exist")
            files.add(str(file))
    return [Path(file) for file in sorted(files)]


@lru_cache(maxsize=1)
def _known() -> dict[str, str]:
    """Return what is remembered, to be added to."""
    with suppress(OSError, ValueError):
        found = json.loads(MEMORY.read_bytes())
        if isinstance(found, dict) and len(found) < MANY:
            return found
    return {}


@lru_cache(maxsize=1)
def _reader() -> hashlib._Hash:
    return hashlib.sha256(Path(__file__).read_bytes() + sys.version.encode())


def _hash(source: bytes, suffix: str, known: dict[str, str]) -> str:
    if suffix != ".py":
        return hashlib.sha256(source).hexdigest()
    digest = _reader().copy()
    digest.update(source)
    text = digest.hexdigest()
    if text not in known:
        known[text] = _hash_of_what_it_says(source)
    return known[text]


def _hash_of_what_it_says(source: bytes) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _documented(node):
            node.body = node.body[1:] or [ast.Pass()]
    # Unparsed text rather than a dump of the tree: its form changes less from one Python to the next.
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()


def _documented(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return ast.get_docstring(node, clean=False) is not None
