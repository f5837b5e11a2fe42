"""A report as one HTML page that needs nothing but itself: for screens, light or dark, phones and printers."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from pathlib import Path

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

STYLE = """\
:root { color-scheme: light dark; --ground: #fcfcfa; --ink: #1d1d1b; --quiet: #66645d; --line: #dcdad2;
  --row: #f3f2ec; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #181816; --ink: #e8e6e0; --quiet: #a3a097; --line: #3a3934; --row: #22211e; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 56rem; padding: 2.5rem 1.25rem 4rem; background: var(--ground); color: var(--ink);
  font: 17px/1.6 Georgia, "Times New Roman", "Noto Serif CJK SC", serif; }
h1 { font-size: 1.75rem; line-height: 1.25; text-align: center; text-wrap: balance; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .4rem; }
.byline { text-align: center; color: var(--quiet); margin: 0 0 2rem; }
.abstract { margin: 0 auto; max-width: 44rem; font-size: .95rem; }
.abstract h2 { text-align: center; font-size: 1rem; margin: 0 0 .4rem; }
figure { margin: 1.8rem 0; }
figure img { display: block; margin: 0 auto; width: min(100%, 32rem); height: auto; background: #fff;
  border-radius: .3rem;
  padding: .4rem; }
figure.wide img { width: 100%; min-width: 34rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 0 auto; font: .82rem/1.45 system-ui, sans-serif;
  font-variant-numeric: tabular-nums; border-top: 2px solid var(--ink); border-bottom: 2px solid var(--ink); }
th, td { text-align: left; padding: .3rem .7rem; vertical-align: top; white-space: nowrap; }
td.words { white-space: normal; min-width: 11rem; max-width: 26rem; }
thead th { border-bottom: 1px solid var(--ink); white-space: normal; vertical-align: bottom; }
tbody tr:nth-child(even) { background: var(--row); }
figcaption { font-size: .86rem; color: var(--quiet); margin: .6rem auto 0; max-width: 44rem; }
figcaption b { color: var(--ink); }
code { font: .88em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
pre { overflow-x: auto; background: var(--row); border: 1px solid var(--line); border-radius: .3rem;
  padding: .7rem 1rem; }
data { cursor: help; }
.references { padding-left: 1.4rem; text-indent: -1.4rem; font-size: .9rem; }
.references p { margin: .35rem 0; }
@media screen and (min-width: 60rem) { .scroll { position: relative; left: 50%; transform: translateX(-50%);
  width: max-content; min-width: 100%; max-width: min(100vw - 4rem, 84rem); } }
@media print { .scroll { overflow: visible; } figure.wide img { min-width: 0; }
  body { max-width: none; font-size: 10.5pt; padding: 0; } tr, figure { break-inside: avoid; }
  td { white-space: normal; } }
"""
WORDS_FROM = 24


def html_parts(document: Document, pictures: Path) -> list[Part]:
    """Return the report as parts of HTML, with its pictures inside."""
    names = places(document)
    title = escape(document.title)
    parts = [
        Part(
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        ),
        Part(f'<p class="byline">{_text(document.byline, names)}</p>\n', "byline"),
        Part('<section class="abstract"><h2>Abstract</h2>\n'),
        Part("".join(f"<p>{_text(one.text, names)}</p>\n" for one in document.abstract), "abstract"),
        Part("</section>\n"),
    ]
    for block in document.blocks:
        if isinstance(block, Author):
            parts.append(Part("".join(f"<p>{_text(one.text, names)}</p>\n" for one in block.blocks), block.name))
        else:
            parts.append(Part(_block(block, names, pictures)))
    return [*parts, Part(_references(document) + _sources(document) + "</body>\n</html>\n")]


def _block(block: Block, names: Mapping[str, str], pictures: Path) -> str:
    match block:
        case Heading(text=text, level=level):
            return f"<h{level + 1}>{escape(text)}</h{level + 1}>\n"
        case Paragraph(text=text):
            return f"<p>{_text(text, names)}</p>\n"
        case Table(name=name, caption=caption):
            return f'<figure id="{name}">\n{_table(block, names)}{_caption(name, caption, names)}</figure>\n'
        case Figure(name=name, caption=caption, wide=wide):
            data = base64.b64encode((pictures / f"{name}.svg").read_bytes()).decode()
            picture = f'<img alt="{escape(plain(caption))}" src="data:image/svg+xml;base64,{data}">\n'
            if wide:
                picture = f'<div class="scroll">\n{picture}</div>\n'
            kind = ' class="wide"' if wide else ""
            return f'<figure id="{name}"{kind}>\n{picture}{_caption(name, caption, names)}</figure>\n'
        case Query(lines=lines):
            return f"<pre><code>{escape(chr(10).join(lines))}</code></pre>\n"
        case Author():
            raise TypeError("an author's part is a part of its own")


def _table(table: Table, names: Mapping[str, str]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in table.headings)
    rows = "".join("<tr>" + "".join(_cell(cell, names) for cell in row) + "</tr>\n" for row in table.rows)
    return f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n'


def _cell(cell: Text, names: Mapping[str, str]) -> str:
    words = ' class="words"' if len(plain(cell)) > WORDS_FROM and isinstance(cell[0], str) else ""
    return f"<td{words}>{_text(cell, names)}</td>"


def _caption(name: str, caption: Text, names: Mapping[str, str]) -> str:
    return f"<figcaption><b>{names[name]}.</b> {_text(caption, names)}</figcaption>\n"


def _text(text: Text, names: Mapping[str, str]) -> str:
    return "".join(_piece(piece, names) for piece in text)


def _piece(piece: object, names: Mapping[str, str]) -> str:
    match piece:
        case str():
            return escape(piece)
        case Num():
            return number(piece)
        case Code(text=text):
            return f"<code>{escape(text)}</code>"
        case Strong(inside):
            return f"<b>{_text(inside, names)}</b>"
        case See(name):
            return f'<a href="#{name}">{names[name]}</a>'
        case Cite(keys):
            return "(" + "; ".join(f'<a href="#{key}">{escape(short(REFERENCES[key]))}</a>' for key in keys) + ")"
    raise TypeError(f"{piece!r} is no text")


def number(num: Num) -> str:
    """Return a number that says where it comes from."""
    return f'<data value="{num.value!r}" title="{escape(num.id)}">{printed(num)}</data>'


def printed(num: Num) -> str:
    """Return a number as it is printed."""
    return escape(num.text)


def _references(document: Document) -> str:
    keys = sorted(cited(document), key=lambda key: as_text(REFERENCES[key]))
    lines = "".join(f'<p id="{key}">{escape(as_text(REFERENCES[key]))}</p>\n' for key in keys)
    return f'<h2>References</h2>\n<div class="references">\n{lines}</div>\n' if keys else ""


def _sources(document: Document) -> str:
    if not document.sources:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(one.artifact)}</code></td><td><code>{escape(one.file)}</code></td>"
        f"<td><code>{one.content[:12]}</code></td><td><code>{escape(one.sql)}</code></td></tr>\n"
        for one in document.sources
    )
    return (
        "<h2>Where the numbers come from</h2>\n<p>Hold the pointer over a number to see its origin. "
        f"<code>rc-pipeline report verify {escape(document.study)}</code> computes all of them again.</p>\n"
        '<div class="scroll"><table>\n<thead><tr><th>artifact</th><th>file</th><th>fingerprint of what it says</th>'
        f"<th>in SQL</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n"
    )
