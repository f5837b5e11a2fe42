"""What the code says: a hash that comments, docstrings and layout leave alone."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def code_hashes(modules: Iterable[str], root: Path = PROJECT) -> dict[str, str]:
    """Return {file: hash} for modules and, for packages, every module inside them."""
    return {str(path.relative_to(root)): _hash(path.read_bytes()) for path in code_files(modules, root)}


def code_files(modules: Iterable[str], root: Path = PROJECT) -> list[Path]:
    """Return the source files of modules and packages, each once, in order."""
    files: set[Path] = set()
    for module in modules:
        base = root.joinpath(*module.split("."))
        if base.is_dir():
            files.update(base.rglob("*.py"))
        else:
            file = base.with_suffix(".py")
            if not file.is_file():
                raise FileNotFoundError(f"{file}: a stage declares module {module}, which does not exist")
            files.add(file)
    return sorted(files)


@lru_cache(maxsize=512)
def _hash(source: bytes) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _documented(node):
            node.body = node.body[1:] or [ast.Pass()]
    # Unparsed text rather than a dump of the tree: its form changes less from one Python to the next.
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()


def _documented(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return ast.get_docstring(node, clean=False) is not None
