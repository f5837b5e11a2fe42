"""A report before it is written in any format: sections, sentences, tables, figures, numbers that know their origin.

A number has an id, `<artifact>:<what>`, which says where to look it up. What stands in an author's part is the
default of a text that a person may write anew; a part marked `detail` is for pages that have no end, not for paper.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rc_pipeline.reporting.scoreboard import ReportError


@dataclass(frozen=True)
class Num:
    """A number as it is printed, and as it was computed."""

    id: str
    text: str
    value: float


@dataclass(frozen=True)
class Code:
    """A name as it is typed."""

    text: str


@dataclass(frozen=True)
class Strong:
    """Text that stands out."""

    inside: Text


@dataclass(frozen=True)
class Cite:
    """References by key."""

    keys: tuple[str, ...]


@dataclass(frozen=True)
class See:
    """A table or a figure of this document, by name."""

    name: str


Piece = str | Num | Code | Strong | Cite | See
Text = tuple[Piece, ...]
Row = Sequence[Text]


@dataclass(frozen=True)
class Heading:
    """The heading of a section, or of a part of one."""

    text: str
    level: int = 1
    detail: bool = False


@dataclass(frozen=True)
class Paragraph:
    """Some sentences."""

    text: Text
    detail: bool = False


@dataclass(frozen=True)
class Table:
    """A table; paper has room for `on_paper` of its rows, and none for the columns that are `on_screen`."""

    name: str
    caption: Text
    headings: Sequence[str]
    rows: Sequence[Row]
    detail: bool = False
    on_paper: int = 12
    on_screen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A picture: `<name>.svg`, `<name>.pdf` and `_<name>.png`."""

    name: str
    caption: Text
    wide: bool = False


@dataclass(frozen=True)
class Query:
    """SQL for the warehouse."""

    lines: tuple[str, ...]
    detail: bool = True


@dataclass(frozen=True)
class Author:
    """A part that is the author's, with the text that stands there until there is another."""

    name: str
    blocks: tuple[Paragraph, ...]
    detail: bool = False


Block = Heading | Paragraph | Table | Figure | Query | Author


@dataclass(frozen=True)
class Document:
    """A whole report."""

    study: str
    title: str
    byline: Text
    abstract: tuple[Paragraph, ...]
    blocks: Sequence[Block]
    sources: Sequence[Source] = field(default=())


@dataclass(frozen=True)
class Source:
    """A file that numbers come from: the artifact, the file in it, the hash of what it says, and how to ask for it."""

    artifact: str
    file: str
    content: str
    sql: str


def said(template: str, *parts: Piece | Text) -> Text:
    """Return a sentence whose {} are filled with numbers, names and the like."""
    pieces: list[Piece] = []
    texts = template.split("{}")
    if len(texts) != len(parts) + 1:
        raise ValueError(f"{template!r} has {len(texts) - 1} places for {len(parts)} parts")
    for at, text in enumerate(texts):
        if text:
            pieces.append(text)
        if at < len(parts):
            part = parts[at]
            pieces += part if isinstance(part, tuple) else (part,)
    return tuple(pieces)


def listed(items: Sequence[Piece | Text], last: str = " and ") -> Text:
    """Return the items with commas between them."""
    pieces: list[Piece] = []
    for at, item in enumerate(items):
        if at:
            pieces.append(last if at == len(items) - 1 else ", ")
        pieces += item if isinstance(item, tuple) else (item,)
    return tuple(pieces)


def sentences(*texts: Text) -> Text:
    """Return one text of several that are not empty."""
    pieces: list[Piece] = []
    for text in texts:
        if text:
            pieces += [" ", *text] if pieces else text
    return tuple(pieces)


def plain(text: Text) -> str:
    """Return a text without its marks."""
    return "".join(_plain(piece) for piece in text)


def _plain(piece: Piece) -> str:
    match piece:
        case str():
            return piece
        case Num(text=text) | Code(text=text):
            return text
        case Strong(inside):
            return plain(inside)
        case _:
            return ""


def pieces_of(document: Document) -> Iterator[Piece]:
    """Yield every piece of text of a document."""
    yield from document.byline
    for block in (*document.abstract, *document.blocks):
        for text in _texts(block):
            yield from _opened(text)


def numbers(document: Document) -> dict[str, Num]:
    """Return the numbers of a document by id; one id is one number, printed one way."""
    found: dict[str, Num] = {}
    for piece in pieces_of(document):
        if isinstance(piece, Num) and found.setdefault(piece.id, piece).text != piece.text:
            raise ReportError(f"{piece.id} is printed as {found[piece.id].text} and as {piece.text}")
    return found


def cited(document: Document) -> list[str]:
    """Return the keys of all references, each once, in the order of the text."""
    keys = [key for piece in pieces_of(document) if isinstance(piece, Cite) for key in piece.keys]
    return list(dict.fromkeys(keys))


def places(document: Document) -> dict[str, str]:
    """Return what each table and figure is called where all of them are shown."""
    tables = [block.name for block in document.blocks if isinstance(block, Table)]
    figures = [block.name for block in document.blocks if isinstance(block, Figure)]
    return {name: f"Table {at}" for at, name in enumerate(tables, 1)} | {
        name: f"Figure {at}" for at, name in enumerate(figures, 1)
    }


def safe_id(text: str) -> str:
    """Return a name as it may stand in an id in every format."""
    return re.sub(r"[^A-Za-z0-9_./:*+-]", "-", text)


def _texts(block: Block) -> Iterator[Text]:
    match block:
        case Paragraph(text=text):
            yield text
        case Table(caption=caption, rows=rows):
            yield caption
            for row in rows:
                yield from row
        case Figure(caption=caption):
            yield caption
        case Author(blocks=blocks):
            for one in blocks:
                yield one.text
        case _:
            return


def _opened(text: Text) -> Iterator[Piece]:
    for piece in text:
        if isinstance(piece, Strong):
            yield from _opened(piece.inside)
        else:
            yield piece
