"""A report as Markdown; its pictures lie beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rc_pipeline.lake.frames import markdown_table
from rc_pipeline.reporting.document import (
    Author,
    Block,
    Cite,
    Code,
    Document,
    Figure,
    Heading,
    Num,
    Paragraph,
    Query,
    See,
    Strong,
    Table,
    Text,
    cited,
    places,
    plain,
)
from rc_pipeline.reporting.parts import Part
from rc_pipeline.reporting.references import REFERENCES, as_text, short

# Text of strangers as it stands: a picture in it would have the reader's browser ask its server. What else brackets,
# underscores and dollars may do is harmless, and an author reads intervals and names without backslashes.
_MARKUP = re.compile(r"[\\`*]|\](?=[(\[:])")


def markdown_parts(document: Document) -> list[Part]:
    """Return the report as parts of Markdown."""
    names = places(document)
    parts = [Part(f"# {_plain(document.title)}\n\n")]
    parts += [Part(_text(document.byline, names) + "\n", "byline"), Part("\n## Abstract\n\n")]
    parts.append(Part("\n\n".join(_text(one.text, names) for one in document.abstract) + "\n", "abstract"))
    for block in document.blocks:
        if isinstance(block, Author):
            text = "\n\n".join(_text(one.text, names) for one in block.blocks)
            parts += [Part("\n"), Part(text + "\n", block.name)]
        else:
            parts.append(Part("\n" + _block(block, names) + "\n"))
    keys = cited(document)
    if keys:
        lines = "\n".join(
            f"- {as_text(REFERENCES[key])}" for key in sorted(keys, key=lambda key: as_text(REFERENCES[key]))
        )
        parts.append(Part(f"\n## References\n\n{lines}\n"))
    return [*parts, Part(_sources(document))]


def table_text(table: Table | None, names: Mapping[str, str] | None = None) -> str:
    """Return a table without its caption."""
    if table is None:
        return ""
    rows: list[list[object]] = [[_text(cell, names or {}) for cell in row] for row in table.rows]
    return markdown_table(list(table.headings), rows, escaped=True)


def _block(block: Block, names: Mapping[str, str]) -> str:
    match block:
        case Heading(text=text, level=level):
            return f"{'#' * (level + 1)} {text}"
        case Paragraph(text=text):
            return _text(text, names)
        case Table(name=name, caption=caption):
            return f"{table_text(block, names)}\n\n*{names[name]}.* {_text(caption, names)}"
        case Figure(name=name, caption=caption):
            alt = re.sub(r"[\[\]]", "", plain(caption))
            return f"![{alt}]({name}.svg)\n\n*{names[name]}.* {_text(caption, names)}"
        case Query(lines=lines):
            return "\n".join(["```sql", *lines, "```"])
        case Author():
            raise TypeError("an author's part is a part of its own")


def _text(text: Text, names: Mapping[str, str]) -> str:
    return "".join(_piece(piece, names) for piece in text)


def _piece(piece: object, names: Mapping[str, str]) -> str:
    match piece:
        case str():
            return _plain(piece)
        case Num(text=text):
            return _plain(text)
        case Code(text=text):
            return f"`{text.replace('`', '')}`"
        case Strong(inside):
            return f"**{_text(inside, names)}**"
        case See(name):
            return names[name]
        case Cite(keys):
            return f"({'; '.join(short(REFERENCES[key]) for key in keys)})"
    raise TypeError(f"{piece!r} is no text")


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\g<0>", text).replace("<", "&lt;")


def _sources(document: Document) -> str:
    rows: list[list[object]] = [
        [f"`{one.artifact}`", f"`{one.file}`", f"`{one.content[:12]}`", f"`{one.sql}`"] for one in document.sources
    ]
    if not rows:
        return ""
    table = markdown_table(["artifact", "file", "fingerprint of what it says", "in SQL"], rows)
    return (
        "\n## Where the numbers come from\n\n"
        "Every number with its full value and its origin stands in numbers.json; `rc-pipeline report verify "
        f"{document.study}` computes all of them again.\n\n{table}\n"
    )


def paragraphs(blocks: Sequence[Paragraph]) -> str:
    """Return paragraphs as Markdown that names no table."""
    return "\n\n".join(_text(one.text, {}) for one in blocks)
