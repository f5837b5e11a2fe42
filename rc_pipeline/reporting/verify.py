"""Compute every number of a report again, and hold what is printed against it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from html import escape
from pathlib import Path

from rc_pipeline.reporting import as_html, as_latex
from rc_pipeline.reporting.document import Num, safe_id
from rc_pipeline.reporting.parts import Part, split
from rc_pipeline.reporting.study import Study
from rc_pipeline.reporting.verdicts import measure_of, read_verdicts

# A number that says where it comes from, as each format writes it; Markdown has no such marks.
PRINTED = {
    ".tex": re.compile(r"\\rcnum\{([^{}]*)\}\{((?:[^{}]|\{[^{}]*\})*)\}"),
    ".html": re.compile(r'<data value="[^"]*" title="([^"]*)">([^<]*)</data>'),
}
_WORD = re.compile(r"[^\s|]+")
_DIGITS = re.compile(r"\d+")
TOLERANCE = 1e-9
Line = tuple[int, str]


def wrong_scores(study: Study) -> list[str]:
    """Return the scores that are not what their single verdicts come to."""
    found = []
    for (run, column), score in sorted(study.board.scores.items(), key=str):
        file = study.board.questions.get((run, column.eval_set))
        questions = None if file is None or score.value is None else read_verdicts(file)
        measure = None if questions is None else measure_of(column.metric, questions.columns)
        if questions is None or measure is None or score.value is None:
            continue
        value, n = measure.value(questions), measure.counted(questions)
        if n != score.n or abs(value - score.value) > TOLERANCE:
            found.append(f"scores/{run}/{column.eval_set}: {column.metric} is stored as {score.value} over {score.n} "
                         f"questions; its verdicts come to {value} over {n}")  # fmt: skip
    return found


def wrong_numbers(file: Path, fresh: Path) -> list[str]:
    """Return what a file of a report says and its freshly computed twin does not, each with its line."""
    text = file.read_text(encoding="utf-8")
    parts, _ = split(text, file)
    expected, _ = split(fresh.read_text(encoding="utf-8"), fresh)
    page = json.loads((fresh.parent / "numbers.json").read_text(encoding="utf-8"))["numbers"]
    known = dict(_known(page, file.suffix))
    texts = {part.author: part.text for part in expected if part.author}
    found: list[tuple[int, str]] = []
    ours = [line for part in parts if not part.author for line in _lines(part)]
    found += _differences(ours, [line for part in expected if not part.author for line in _lines(part)], file.suffix)
    for part in parts:
        if part.author and part.touched:
            found += _unlike(part, known, file.suffix)
            found += _edited_digits(part, texts.get(part.author, "")) if file.suffix not in PRINTED else ()
        elif part.author in texts and part.author:
            found += _differences(_lines(part), _lines(Part(texts[part.author])), file.suffix)
    return [f"{file}:{line}: {problem}" for line, problem in sorted(found)]


def _known(page: Mapping[str, Mapping[str, object]], suffix: str) -> Iterator[tuple[str, str]]:
    """Yield every number as a format prints it, by the id that it is printed with."""
    for name, one in page.items():
        num = Num(name, str(one["text"]), float(str(one["value"])))
        if suffix == ".tex":
            yield safe_id(name), as_latex.printed(num)
        else:
            yield escape(name), as_html.printed(num)


def _lines(part: Part) -> list[Line]:
    return [(part.line + at, line.rstrip()) for at, line in enumerate(part.text.splitlines()) if line.strip()]


def _unlike(part: Part, known: Mapping[str, str], suffix: str) -> Iterator[Line]:
    """Yield the numbers of an author's text that are not what they say they are."""
    marked = PRINTED.get(suffix)
    for line, text in _lines(part):
        for name, printed in marked.findall(text) if marked else ():
            if name not in known:
                yield line, f"there is no number {name}; numbers.json lists those that there are"
            elif known[name] != printed:
                yield line, f"{name} is printed as {printed}; it is {known[name]}"


def _edited_digits(part: Part, default: str) -> Iterator[Line]:
    """Yield the numbers of an author's text that stand where its default has another one; they bear no marks."""
    for line, text in _lines(part):
        own = _WORD.findall(text)
        nearest = max(default.splitlines(), key=lambda one: len({*_WORD.findall(one)} & {*own}), default="")
        words = _WORD.findall(nearest)
        for what, a, b, c, d in SequenceMatcher(None, own, words, autojunk=False).get_opcodes():
            if what == "replace" and b - a == d - c:
                for ours, theirs in zip(own[a:b], words[c:d], strict=True):
                    if _DIGITS.sub("0", ours) == _DIGITS.sub("0", theirs):
                        yield line, f"printed as {ours}; it is {theirs}"


def _differences(ours: Sequence[Line], theirs: Sequence[Line], suffix: str) -> Iterator[Line]:
    matcher = SequenceMatcher(None, [text for _, text in ours], [text for _, text in theirs], autojunk=False)
    for what, a, b, c, d in matcher.get_opcodes():
        if what == "equal":
            continue
        if b - a == d - c:
            for (line, text), (_, right) in zip(ours[a:b], theirs[c:d], strict=True):
                yield line, _told(text, right, suffix)
            continue
        for line, text in ours[a:b]:
            yield line, f"this is not what the scores say: {_short(text)}"
        if a == b:
            line = ours[a - 1][0] if a else 1
            yield line, f"behind this line is missing: {_short(theirs[c][1])}"


def _told(text: str, right: str, suffix: str) -> str:
    """Return in which number, or else in which word, two lines differ."""
    marked = PRINTED.get(suffix)
    if marked:
        both = zip(marked.findall(text), marked.findall(right), strict=False)
        wrong = [(ours, theirs) for ours, theirs in both if ours != theirs]
        if wrong and wrong[0][0][0] == wrong[0][1][0]:
            (name, printed), (_, value) = wrong[0]
            return f"{name} is printed as {printed}; it is {value}"
    words = zip(_WORD.findall(text), _WORD.findall(right), strict=False)
    first = next(((ours, theirs) for ours, theirs in words if ours != theirs), None)
    return f"printed as {first[0]!r}; it is {first[1]!r}" if first else f"it is: {_short(right)}"


def _short(text: str) -> str:
    return text if len(text) <= 100 else text[:99] + "…"
