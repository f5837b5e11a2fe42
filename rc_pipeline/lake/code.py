"""What the code says: a hash that comments, docstrings and layout leave alone."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
# A module may be data as well: what is written in it decides what is made of it.
SUFFIXES = (".py", ".yaml")


def code_hashes(modules: Iterable[str], root: Path = PROJECT) -> dict[str, str]:
    """Return {file: hash} for modules and, for packages, every module inside them."""
    return {str(path.relative_to(root)): _hash(path.read_bytes(), path.suffix) for path in code_files(modules, root)}


def code_files(modules: Iterable[str], root: Path = PROJECT) -> list[Path]:
    """Return the source files of modules and packages, each once, in order."""
    files: set[Path] = set()
    for module in modules:
        base = root.joinpath(*module.split("."))
        if base.is_dir():
            files.update(base.rglob("*.py"))
        else:
            file = next((file for end in SUFFIXES if (file := base.with_suffix(end)).is_file()), None)
            if file is None:
                raise FileNotFoundError(f"{base}: a stage declares module {module}, which does not exist")
            files.add(file)
    return sorted(files)


@lru_cache(maxsize=512)
def _hash(source: bytes, suffix: str) -> str:
    if suffix != ".py":
        return hashlib.sha256(source).hexdigest()
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _documented(node):
            node.body = node.body[1:] or [ast.Pass()]
    # Unparsed text rather than a dump of the tree: its form changes less from one Python to the next.
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()


def _documented(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return ast.get_docstring(node, clean=False) is not None
