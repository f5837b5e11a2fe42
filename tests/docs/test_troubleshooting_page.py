"""The page names every error that reaches a user, in the words of the code."""

from __future__ import annotations

import ast
import builtins
import re
from pathlib import Path

from pages import Page

from rc_pipeline.lake.code import PROJECT

PAGE = Page("troubleshooting.md")
SOURCES = [path for folder in ("rc_pipeline", "assets", "resources") for path in (PROJECT / folder).rglob("*.py")]
NAMED = set(re.findall(r"`(\w+)`", PAGE.text))
# Errors of which a user hears in other words.
INTERNAL = {
    "CannotBeMade": "a view; it stands in `skipped` with the reason",
    "Dropped": "a proposed template; counted by its reason",
    "Failed": "of a stage in a rehearsal; told as its PROBLEM",
    "Killed": "of a stage in a rehearsal; told as its PROBLEM",
    "NullColumn": "of one row of a template; told by InstructionsError",
    "RowRefused": "one row; counted as dropped, or as `problem` of its question",
    "ShapeUnknown": "no forecast of memory; `plan` says why",
    "_Broken": "one try of a transfer; told by DownloadFailed or EndpointFailed",
    "_Fault": "one raw row; set aside with its reason",
    "_Unreadable": "of a file of the catalog; told by CatalogError",
}
# The words of other programs.
ELSEWHERE = {'Job "…" not found', '$DAGSTER_HOME "…" must be an absolute path', "rc-pipeline: command not found"}


def errors() -> set[str]:
    """Return the names of all classes of errors, told by their bases."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES]
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    known = {name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, Exception)}
    found: set[str] = set()
    while (
        new := {each.name for each in classes if {ast.unparse(base) for base in each.bases} & (known | found)} - found
    ):
        found |= new
    return found


def texts(path: Path) -> list[str]:
    """Return every text of a file, a NUL where it has a field."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


def quoted() -> list[str]:
    """Return the fragments of messages in the first column of the page's tables."""
    cells = re.findall(r"^\| ((?:[^|`]|`+[^`]+`+)+?) \|", PAGE.text, re.MULTILINE)
    return [code for cell in cells for code in re.findall(r"`+ ?([^`]* [^`]*)`+", cell)]


def test_every_error_that_reaches_a_user_is_named_with_its_remedy() -> None:
    found = errors()
    assert len(found) > 40
    assert found - NAMED - INTERNAL.keys() == set()


def test_no_error_is_called_internal_that_is_told_or_gone() -> None:
    assert set(INTERNAL) & NAMED == set()
    assert set(INTERNAL) <= errors()


def test_every_error_of_the_page_is_one_of_the_code() -> None:
    named = re.findall(r"^\|.*\| (`\w+`(?:, `\w+`)*)[^|]* \|", PAGE.text, re.MULTILINE)
    assert {each.strip("`") for cell in named for each in cell.split(", ")} - {"ValueError"} <= errors()


def test_what_the_page_quotes_is_what_the_code_says() -> None:
    said = [text for path in SOURCES for text in texts(path)] + [(PROJECT / "Makefile").read_text(encoding="utf-8")]
    fragments = [each for each in quoted() if each not in ELSEWHERE]
    assert len(fragments) > 100
    unsaid = []
    for fragment in fragments:
        parts = [part.strip() for part in fragment.split("…")]
        wanted = re.compile(".*?".join(map(re.escape, parts)), re.DOTALL)
        if not any(wanted.search(text) for text in said if max(parts, key=len) in text):
            unsaid.append(fragment)
    assert unsaid == []
