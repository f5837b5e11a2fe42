"""X-rays on a terminal: a word in the margin says what a colour repeats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rc_pipeline.xray.tokens import Cut, Token, Xray
from rc_pipeline.xray.visible import LINE_END, columns, shortened, visible

BETWEEN = "│"
MARGIN = 9
CUT_CHARACTERS = 240
MASKED, TRAINED, SPECIAL, CUT, FAINT = "\x1b[0m", "\x1b[1;36m", "\x1b[7m", "\x1b[33m", "\x1b[2m"
RESET = "\x1b[0m"


def in_words(found: Xray) -> str:
    """Return the counts of an X-ray as one sentence."""
    if found.refused:
        return f"left out: {found.refused}"
    counts = found.counts
    text = f"{counts['tokens']} tokens of at most {found.limits.max_tokens}: {counts['masked']} masked, "
    text += (
        f"{counts['trained']} trained" if found.limits.with_answer else "none trained (the model writes on from here)"
    )
    lost = [f"{number} {name}" for name, number in list(counts.items())[3:] if number]
    return f"{text}; {', '.join(lost) if lost else 'nothing cut'}"


def terminal_lines(found: Xray, *, width: int, colours: bool) -> Iterator[str]:
    """Yield the lines that show an X-ray's tokens."""
    page = _Page(max(20, width - MARGIN - 2), colours)
    cuts = {cut.at: cut for cut in found.cuts}
    for at, token in enumerate(found.tokens):
        if at in cuts:
            yield from page.cut(cuts[at])
        yield from page.add(token)
    yield from page.end()
    if len(found.tokens) in cuts:
        yield from page.cut(cuts[len(found.tokens)])


@dataclass
class _Page:
    """The line that is being filled, and what its margin says."""

    width: int
    colours: bool
    line: list[str] = field(default_factory=list)
    used: int = 0
    kind: str = ""

    def add(self, token: Token) -> Iterator[str]:
        kind = "trained" if token.trained else "masked"
        if kind != self.kind:
            yield from self.end()
        self.kind = kind
        first, *more = visible(token.text).split("\n")
        space = columns(first) + 1
        if self.used and self.used + space > self.width:
            yield from self.end()
        self._write(first, token)
        for part in more:
            yield from self.end()
            if part:
                self._write(part, token)

    def cut(self, cut: Cut) -> Iterator[str]:
        yield from self.end()
        text = shortened(" ".join(visible(cut.text).replace(LINE_END, " ").split()), CUT_CHARACTERS)
        yield self._margin("cut", CUT) + self._painted(f"✂ {cut.tokens} tokens: {text}", CUT)

    def end(self) -> Iterator[str]:
        if self.line:
            colour = TRAINED if self.kind == "trained" else FAINT
            yield self._margin(self.kind, colour) + self._painted(BETWEEN, FAINT).join(self.line)
        self.line, self.used = [], 0

    def _write(self, text: str, token: Token) -> None:
        colour = (TRAINED if token.trained else MASKED) + (SPECIAL if token.special else "")
        self.line.append(self._painted(text, colour))
        self.used += columns(text) + 1

    def _margin(self, word: str, colour: str) -> str:
        return self._painted(f"{word:>{MARGIN - 2}}", colour) + "  "

    def _painted(self, text: str, colour: str) -> str:
        return f"{colour}{text}{RESET}" if self.colours else text
