"""A report as a paper in LaTeX."""

from __future__ import annotations

from collections.abc import Mapping
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
    Row,
    See,
    Strong,
    Table,
    Text,
    cited,
    places,
    plain,
    safe_id,
)
from rc_pipeline.reporting.latex_style import FONTS, FONTS_FILE, PREAMBLE
from rc_pipeline.reporting.latex_text import latex, needs_fonts, typed
from rc_pipeline.reporting.parts import Part

# So many letters in the longest rows fit into one column of a page; what has more spans both.
COLUMN_LETTERS = 66
# A cell of words that is longer gets lines of its own.
CELL_LETTERS = 40
XELATEX = "% !TEX program = xelatex\n"


def latex_parts(document: Document) -> list[Part]:
    """Return the report as parts of LaTeX; what is marked as a detail stays out."""
    blocks = [block for block in document.blocks if not getattr(block, "detail", False)]
    kept = Document(document.study, document.title, document.byline, document.abstract, blocks)
    names = {name: place.replace(" ", "~") for name, place in places(kept).items()}
    fonts = needs_fonts(_every_letter(kept))
    parts = [
        Part((XELATEX if fonts else "") + PREAMBLE + f"\n\\title{{{latex(document.title)}}}\n\\author{{%\n"),
        Part(f"{_text(document.byline, names)}\n", "byline"),
        Part("}\n\n\\begin{document}\n\\maketitle\n\\begin{abstract}\n"),
        Part("\n\n".join(_text(one.text, names) for one in document.abstract) + "\n", "abstract"),
        Part("\\end{abstract}\n"),
    ]  # fmt: skip
    for block in blocks:
        if isinstance(block, Author):
            text = "\n\n".join(_text(one.text, names) for one in block.blocks)
            parts += [Part("\n"), Part(text + "\n", block.name)]
        else:
            parts.append(Part("\n" + _block(block, names)))
    # An author's own references go into a file of their own, since this one is written anew.
    bibliography = "\\IfFileExists{own.bib}{\\bibliography{references,own}}{\\bibliography{references}}\n"
    return [*parts, Part(f"\n{bibliography if cited(kept) else ''}\\end{{document}}\n")]


def put_fonts_beside(paper: str, folder: Path) -> bool:
    """Put what loads further fonts into the folder of a paper whose text, its author's included, needs them."""
    needed = needs_fonts(paper)
    if needed:
        (folder / FONTS_FILE).write_text(FONTS, encoding="utf-8")
    return needed


def _every_letter(document: Document) -> str:
    texts = [document.title, plain(document.byline)]
    for block in (*document.abstract, *document.blocks):
        match block:
            case Heading(text=text):
                texts.append(text)
            case Paragraph(text=text):
                texts.append(plain(text))
            case Table(caption=caption, rows=rows):
                texts += [plain(caption), *(plain(cell) for row in rows for cell in row)]
            case Figure(caption=caption):
                texts.append(plain(caption))
            case Author(blocks=blocks):
                texts += [plain(one.text) for one in blocks]
            case _:
                continue
    return "".join(texts)


def _block(block: Block, names: Mapping[str, str]) -> str:
    match block:
        case Heading(text=text, level=level):
            return f"\\{'sub' * (level - 1)}section{{{latex(text)}}}\n"
        case Paragraph(text=text):
            return f"{_text(text, names)}\n"
        case Table():
            return _table(block, names)
        case Figure(name=name, caption=caption, wide=wide):
            kind = "figure*" if wide else "figure"
            return (
                f"\\begin{{{kind}}}[t]\n\\centering\n\\includegraphics[width=\\linewidth]{{{name}.pdf}}\n"
                f"\\caption{{{_text(caption, names)}}}\n\\end{{{kind}}}\n"
            )
    raise TypeError(f"{type(block).__name__} is not for paper")


def _table(table: Table, names: Mapping[str, str]) -> str:
    there = [at for at, heading in enumerate(table.headings) if heading not in table.on_screen]
    headings = [table.headings[at] for at in there]
    shown = [[row[at] for at in there] for row in table.rows[: table.on_paper]]
    lengths = [
        max([*map(len, _lines(heading)), *(min(len(plain(row[at])), CELL_LETTERS) for row in shown)])
        for at, heading in enumerate(headings)
    ]
    wide = sum(lengths) + 2 * len(lengths) > COLUMN_LETTERS
    kind, head = ("table*" if wide else "table"), " & ".join(_heading(heading) for heading in headings)
    rows = "".join(_row(row, names) for row in shown)
    left = len(table.rows) - len(shown)
    more = f" {left:,} more rows stand in report.html." if left else ""
    columns = "l" * len(headings)
    return (
        f"\\begin{{{kind}}}[t]\n\\centering\\footnotesize\n\\rcfit{{%\n\\begin{{tabular}}{{@{{}}{columns}@{{}}}}\n\\toprule\n"
        f"{head} \\\\\n\\midrule\n{rows}\\bottomrule\n\\end{{tabular}}}}\n"
        f"\\caption{{{_text(table.caption, names)}{more}}}\n\\end{{{kind}}}\n"
    )


def _lines(heading: str) -> list[str]:
    """Return a heading in lines: the set over its measure, or two lines of words."""
    words = heading.split(" ")
    if len(words) == 1:
        return words
    if "/" in words[0]:
        return [words[0], " ".join(words[1:])]
    half = min(range(1, len(words)), key=lambda at: abs(len(" ".join(words[:at])) - len(" ".join(words[at:]))))
    return [" ".join(words[:half]), " ".join(words[half:])] if len(heading) > 12 else [heading]


def _heading(heading: str) -> str:
    lines = [latex(line) for line in _lines(heading)]
    stacked = "\\\\".join(f"\\textbf{{{line}}}" for line in lines)
    return f"\\begin{{tabular}}[b]{{@{{}}l@{{}}}}{stacked}\\end{{tabular}}"


def _row(row: Row, names: Mapping[str, str]) -> str:
    return " & ".join(_cell(cell, names) for cell in row) + " \\\\\n"


def _cell(cell: Text, names: Mapping[str, str]) -> str:
    text = _text(cell, names)
    letters = len(plain(cell))
    if letters <= CELL_LETTERS or not isinstance(cell[0], str):
        return text
    width = 40 if letters <= 2 * CELL_LETTERS else 58
    return f"\\parbox[t]{{{width}mm}}{{\\raggedright {text}\\strut}}"


def _text(text: Text, names: Mapping[str, str]) -> str:
    return "".join(_piece(piece, names) for piece in text)


def _piece(piece: object, names: Mapping[str, str]) -> str:
    match piece:
        case str():
            return latex(piece)
        case Num():
            return number(piece)
        case Code(text=text):
            return typed(text)
        case Strong(inside):
            return f"\\textbf{{{_text(inside, names)}}}"
        case See(name):
            return names.get(name, "the table in report.html")
        case Cite(keys):
            return f"\\citep{{{','.join(keys)}}}"
    raise TypeError(f"{piece!r} is no text")


def number(num: Num) -> str:
    """Return a number that says where it comes from."""
    return f"\\rcnum{{{safe_id(num.id)}}}{{{printed(num)}}}"


def printed(num: Num) -> str:
    """Return a number as it is printed."""
    text = latex(num.text)
    return "$-$" + text[1:] if text.startswith("-") else text
