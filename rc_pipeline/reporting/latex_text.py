"""Any text as LaTeX: nothing in it is a command, and no letter is lost."""

from __future__ import annotations

import unicodedata

_MARKS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "'": "'", "`": r"\textasciigrave{}",
    "–": "--", "—": "---", "…": r"\ldots{}", "→": r"$\rightarrow$", "×": r"$\times$", "−": r"$-$",
    "≥": r"$\geq$", "≤": r"$\leq$", "±": r"$\pm$", "·": r"$\cdot$", "⏎": r"$\hookleftarrow$", "\u00a0": "~",
    "‘": "`", "’": "'", "“": "``", "”": "''", "\t": " ", "\n": " ", "\r": " ",
}  # fmt: skip
# Greek, Cyrillic, Chinese, Japanese and Korean, with their punctuation; fonts for them come with xelatex.
_FONTED = (
    (0x0370, 0x04FF), (0x2E80, 0x303F), (0x3040, 0x30FF), (0x3100, 0x312F), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
    (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF),
)  # fmt: skip
LATIN_ENDS = 0x017F
BREAK_AFTER = "_-/.:+="


def latex(text: str) -> str:
    """Return text that LaTeX prints as it stands."""
    return "".join(_letter(letter) for letter in unicodedata.normalize("NFC", text))


def typed(text: str) -> str:
    """Return a name as it is typed, which may break at its joints."""
    letters = []
    for letter, following in zip(text, text[1:] + " ", strict=True):
        # Two hyphens are no dash here.
        letters.append("-{}" if letter == "-" else _letter(letter))
        if letter in BREAK_AFTER and following not in BREAK_AFTER:
            letters.append(r"\allowbreak{}")
    return rf"\texttt{{{''.join(letters)}}}"


def needs_fonts(text: str) -> bool:
    """Tell whether a text has letters that plain pdflatex has no fonts for."""
    return any(_fonted(letter) for letter in text)


def _letter(letter: str) -> str:
    if letter in _MARKS:
        return _MARKS[letter]
    code = ord(letter)
    if 0x20 <= code < 0x7F or _fonted(letter):
        return letter
    if 0xA0 < code <= LATIN_ENDS and unicodedata.category(letter)[0] == "L":
        return letter
    return rf"\texttt{{U+{code:04X}}}"


def _fonted(letter: str) -> bool:
    return any(first <= ord(letter) <= last for first, last in _FONTED)
