"""A written report as parts: those that are generated, and those between two marks that are the author's.

The first line holds a hash of all generated parts, and the mark of an author's part one of the text that stood there
first: so an edit outside of the marks is noticed, and a text that nobody touched is written anew with new numbers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rc_pipeline.reporting.scoreboard import ReportError

# What a comment looks like in each format.
COMMENTS = {".tex": ("% ", ""), ".md": ("<!-- ", " -->"), ".html": ("<!-- ", " -->")}
DIGITS = 16


@dataclass(frozen=True)
class Part:
    """Some lines; `author` names the part if it is the author's, `line` is where its text begins."""

    text: str
    author: str = ""
    line: int = 0
    touched: bool = False


def assemble(parts: Sequence[Part], suffix: str, study: str) -> str:
    """Return the file that these parts make up."""
    head, tail = COMMENTS[suffix]
    generated = _hash("".join(part.text for part in parts if not part.author))
    lines = [f"{head}Report of the study {study}, by rc-pipeline. Generated parts: {generated}{tail}\n"]
    for part in parts:
        text = part.text if part.text.endswith("\n") or not part.text else part.text + "\n"
        if not part.author:
            lines.append(text)
            continue
        lines.append(f"{head}author: {part.author} ({_hash(text)}){tail}\n{text}{head}end of {part.author}{tail}\n")
    return "".join(lines)


def split(text: str, file: Path) -> tuple[list[Part], bool]:
    """Return the parts of a file, and whether its generated parts are as they were written."""
    head, tail = (re.escape(mark.strip()) for mark in COMMENTS[file.suffix])
    first = re.compile(
        rf"{head} Report of the study \S+, by rc-pipeline\. Generated parts: ([0-9a-f]{{{DIGITS}}})\s*{tail}"
    )
    begins = re.compile(rf"{head} author: (\S+) \(([0-9a-f]{{{DIGITS}}})\)\s*{tail}")
    ends = re.compile(rf"{head} end of (\S+)\s*{tail}")
    lines = text.splitlines(keepends=True)
    known = first.fullmatch(lines[0].rstrip()) if lines else None
    if known is None:
        raise ReportError(f"{file}: line 1 does not say that rc-pipeline wrote this; name a file of a report")
    parts, own, begin, mark = list[Part](), list[str](), 2, ("", "")
    for at, line in enumerate(lines[1:], 2):
        started, ended = begins.fullmatch(line.rstrip()), ends.fullmatch(line.rstrip())
        if started is None and ended is None:
            own.append(line)
            continue
        if (started is not None) == bool(mark[0]) or (ended is not None and ended[1] != mark[0]):
            raise ReportError(f"{file}: line {at}: {line.strip()!r} does not pair with the mark before; put it back")
        body = "".join(own)
        parts.append(Part(body, mark[0], begin, touched=bool(mark[0]) and _hash(body) != mark[1]))
        own, begin, mark = [], at + 1, (started[1], started[2]) if started is not None else ("", "")
    if mark[0]:
        raise ReportError(f"{file}: the author's part {mark[0]} has no end; put its last mark back")
    parts.append(Part("".join(own), "", begin))
    generated = _hash("".join(part.text for part in parts if not part.author))
    return parts, generated == known[1]


def kept(fresh: Sequence[Part], old: Sequence[Part]) -> tuple[list[Part], list[str]]:
    """Return fresh parts with the texts that an author wrote, and the names of those that have no place any more."""
    written = {part.author: part.text for part in old if part.author and part.touched}
    placed = [
        replace(part, text=written[part.author], touched=True) if part.author in written else part for part in fresh
    ]
    return placed, sorted(written.keys() - {part.author for part in fresh})


def assemble_kept(parts: Sequence[Part], fresh: Sequence[Part], suffix: str, study: str) -> str:
    """Return the file, with the marks of touched parts still telling the text that stood there first."""
    text = assemble(parts, suffix, study)
    defaults = {part.author: part.text for part in fresh if part.author}
    for part in parts:
        if part.author and part.touched:
            default = defaults[part.author]
            default = default if default.endswith("\n") or not default else default + "\n"
            own = part.text if part.text.endswith("\n") or not part.text else part.text + "\n"
            text = text.replace(f"author: {part.author} ({_hash(own)})", f"author: {part.author} ({_hash(default)})")
    return text


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
