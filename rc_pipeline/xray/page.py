"""X-rays as one HTML page that needs nothing else: no script, no font, no picture from anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from rc_pipeline.xray.style import STYLE
from rc_pipeline.xray.terminal import CUT_CHARACTERS, in_words
from rc_pipeline.xray.tokens import Cut, Token, Xray
from rc_pipeline.xray.visible import LINE_END, shortened, visible

# Nothing may be fetched or run, whatever a row says.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Section:
    """The rows of one data set as one model and prompt template read them."""

    model: str
    prompt: str
    dataset: str
    xrays: Sequence[Xray]


def html_page(sections: Sequence[Section]) -> str:
    """Return the page of all sections."""
    titles = ", ".join(dict.fromkeys(f"{section.dataset} as {section.model} reads it" for section in sections))
    return "".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            f"<title>Prompt X-ray: {_text(titles)}</title>\n",
            f"<style>\n{STYLE}</style>\n</head>\n<body>\n",
            f"<h1>Prompt X-ray</h1>\n{LEGEND}",
            *(part for section in sections for part in _section(section)),
            "</body>\n</html>\n",
        ]
    )


LEGEND = """\
<div class="legend">
<input type="checkbox" id="ids"><label for="ids">show token ids</label>
<span><span class="tokens"><span class="t">masked</span></span> read, teaches nothing</span>
<span><span class="tokens"><mark><span class="t">trained</span></mark></span> the loss is taken here</span>
<span><span class="tokens"><span class="t special">&lt;s&gt;</span></span> special token</span>
<span><span class="tokens"><span class="cut"><b>✂ 12 tokens</b></span></span> did not fit</span>
</div>
"""


def _section(section: Section) -> Iterator[str]:
    yield f"<section>\n<h2>{_text(section.dataset)} <small>read by</small> {_text(section.model)}"
    yield f" <small>in the prompt template</small> {_text(section.prompt)}</h2>\n"
    for found in section.xrays:
        yield from _card(found)
    yield "</section>\n"


def _card(found: Xray) -> Iterator[str]:
    row = found.row
    yield f"<article>\n<header><h3>{_text(str(row['template']))}</h3>"
    yield f"<code>{_text(str(row['row_id']))}</code></header>\n"
    if found.refused:
        yield f'<p class="refused">Left out: {_text(found.refused)}</p>\n</article>\n'
        return
    yield f"{_bar(found)}\n<p>{_text(in_words(found))}</p>\n"
    yield f'<div class="tokens" lang="{_text(str(row.get("language") or "und"))}">{"".join(_tokens(found))}</div>\n'
    if not found.limits.with_answer:
        known = row.get("output")
        answer = "the answer is not known" if known is None else f"expected: {_text(str(known))}"
        yield f'<p class="expected">{answer}</p>\n'
    yield "</article>\n"


def _bar(found: Xray) -> str:
    """Return a bar as wide as what the row may take: masked, trained, free."""
    masked, trained = found.counts["masked"], found.counts["trained"]
    parts = (("masked", masked), ("trained", trained), ("free", max(0, found.limits.max_tokens - masked - trained)))
    spans = "".join(f'<span class="{name}" style="flex-grow:{number}"></span>' for name, number in parts if number)
    return f'<div class="bar" role="img" aria-label="{_text(in_words(found))}">{spans}</div>'


def _tokens(found: Xray) -> Iterator[str]:
    cuts = {cut.at: cut for cut in found.cuts}
    numbered = list(enumerate(found.tokens))
    for trained, run in groupby(numbered, key=lambda each: each[1].trained):
        yield "<mark>" if trained else ""
        for at, token in run:
            yield _cut(cuts[at]) if at in cuts else ""
            yield _token(at, token)
        yield "</mark>" if trained else ""
    if len(numbered) in cuts:
        yield _cut(cuts[len(numbered)])
    if not found.limits.with_answer:
        yield '<span class="next">▸ the model writes on from here</span>'


def _token(at: int, token: Token) -> str:
    ids = " ".join(map(str, token.ids))
    about = f"token {at}: {' '.join(token.pieces)} = {ids}"
    kind = "t special" if token.special else "t"
    text = _text(token.text).replace(LINE_END, f"<i>{LINE_END}</i>")
    # Ids stand behind their token, so a line ends after both.
    text, end = (text[:-1], "\n") if text.endswith("\n") else (text, "")
    return f'<span class="{kind}" title="{_text(about)}" data-ids="{ids}">{text}</span>{end}'


def _cut(cut: Cut) -> str:
    return f'<span class="cut"><b>✂ {cut.tokens} tokens</b> {_text(shortened(cut.text, CUT_CHARACTERS))}</span>'


def _text(text: str) -> str:
    return escape(visible(text), quote=True)
