"""TriviaQA RC: one archive of question files (qa/*.json) and of the documents that they cite (evidence/**)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from rc_pipeline.corpora.json_stream import elements_under
from rc_pipeline.corpora.readers import BadRow, Readable, first_text_fault, text_fault

# Evidence of an entity page is a Wikipedia article in both domains.
PAGE_KINDS = (("EntityPages", "entity", "wikipedia"), ("SearchResults", "search", "web"))
DOMAINS = ("wikipedia", "web")
VERIFIED_SPLITS = tuple(f"verified-{domain}-dev" for domain in DOMAINS)
SPLITS = (*(f"{domain}-{part}" for domain in DOMAINS for part in ("train", "dev", "test")), *VERIFIED_SPLITS)
LARGEST_RANK = (1 << 31) - 1
ALIAS_KEYS = ("Aliases", "NormalizedAliases", "HumanAnswers")


class Page(NamedTuple):
    """One document that a question cites; what the file does not say is None."""

    position: int
    kind: str
    domain: str
    filename: str
    title: str
    rank: int | None
    link_probability: float | None
    verified: bool | None


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its answers and pages; a test question has no answer."""

    id: str
    question: str
    answer: str | None
    answer_type: str | None
    source: str | None
    verified: bool | None
    file: str
    line: int
    aliases: list[str]
    normalised_aliases: list[str]
    human_answers: list[str]
    pages: list[Page]


@dataclass(frozen=True, slots=True)
class BadPage:
    """A page entry that names no document."""

    bad: BadRow


def split_of(member: str) -> str | None:
    """Return the split that a member of the archive holds, if it is a question file."""
    folder, _, file = member.rpartition("/")
    if folder.rpartition("/")[2] != "qa" or not file.endswith(".json"):
        return None
    split = file.removesuffix(".json").replace("-test-without-answers", "-test")
    return split if split in SPLITS else None


def document_of(member: str) -> tuple[str, str] | None:
    """Return (domain, file name) if a member of the archive is a document."""
    for domain in DOMAINS:
        _, found, filename = f"/{member}".partition(f"/evidence/{domain}/")
        if found and filename and not is_of_macos(member):
            return domain, filename
    return None


def is_of_macos(member: str) -> bool:
    """Tell whether a member holds what macOS notes about another file."""
    return member.rpartition("/")[2].startswith("._")


def read_questions(file: Readable, name: str, split: str, archive: str = "") -> Iterator[Question | BadRow | BadPage]:
    """Yield the questions of one qa file; a page that cannot be used comes before its question."""
    for line, datum in elements_under("Data", file, f"{archive}: {name}" if archive else name):
        if not isinstance(datum, dict):
            yield BadRow("not_an_object", name, line, "Data", str(datum), datum)
            continue
        bad = first_text_fault(datum, ("QuestionId", "Question"), name, line)
        bad = bad or _answer_fault(datum, name, line, answered=not split.endswith("-test"))
        if bad:
            yield bad
            continue
        pages, bad_pages = _pages(datum, name, line)
        yield from bad_pages
        yield _question(datum, pages, name, line)


def _answer_fault(datum: dict[str, Any], name: str, line: int, *, answered: bool) -> BadRow | None:
    answer = datum.get("Answer")
    if answer is None and not answered:
        return None
    if not isinstance(answer, dict):
        return BadRow("no_answer", name, line, "Answer", str(answer), datum)
    bad = first_text_fault(answer, ("Value",), name, line)
    if bad:
        return BadRow(bad.reason, name, line, "Answer.Value", bad.value, datum)
    for key in ALIAS_KEYS:
        given = answer.get(key) or []
        reason = _texts_fault(given) if isinstance(given, list) else "not_text"
        if reason:
            return BadRow(reason, name, line, f"Answer.{key}", ascii(given), datum)
    if not (answer.get("NormalizedAliases") or answer.get("HumanAnswers")):
        return BadRow("no_aliases", name, line, "Answer.NormalizedAliases", "[]", datum)
    return None


def _texts_fault(texts: list[Any]) -> str | None:
    try:
        return text_fault("".join(texts))
    except TypeError:
        return "not_text"


def _pages(datum: dict[str, Any], name: str, line: int) -> tuple[list[Page], list[BadPage]]:
    pages: list[Page] = []
    bad: list[BadPage] = []
    for key, kind, domain in PAGE_KINDS:
        entries = datum.get(key) or []
        if not isinstance(entries, list):
            bad.append(BadPage(BadRow("not_text", name, line, key, str(entries), datum)))
            continue
        for entry in entries:
            fields = entry if isinstance(entry, dict) else {}
            filename = _text_or_none(fields.get("Filename"))
            if filename is None:
                fault = first_text_fault(fields, ("Filename",), name, line)
                place = f"{key} of {datum['QuestionId']}: Filename"
                reason, value = (fault.reason, fault.value) if fault else ("not_text", "")
                bad.append(BadPage(BadRow(reason, name, line, place, value, entry)))
                continue
            pages.append(_page(len(pages) + len(bad), kind, domain, filename, fields))
    return pages, bad


def _page(position: int, kind: str, domain: str, filename: str, fields: dict[str, Any]) -> Page:
    rank, probability = fields.get("Rank"), fields.get("LinkProbability")
    return Page(
        position,
        kind,
        domain,
        filename,
        _text_or_none(fields.get("Title")) or "",
        rank if type(rank) is int and 0 <= rank <= LARGEST_RANK else None,
        None if probability is None else _number_or_none(probability),
        _truth_or_none(fields.get("DocPartOfVerifiedEval")),
    )


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and (value.isascii() or text_fault(value) is None) else None


def _truth_or_none(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _number_or_none(value: object) -> float | None:
    """Return a number, which the files write as text."""
    try:
        number = float(value) if isinstance(value, str | float | int) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _question(datum: dict[str, Any], pages: list[Page], name: str, line: int) -> Question:
    answer = datum.get("Answer") or {}
    return Question(
        id=datum["QuestionId"],
        question=datum["Question"],
        answer=answer.get("Value"),
        answer_type=_text_or_none(answer.get("Type")),
        source=_text_or_none(datum.get("QuestionSource")),
        verified=_truth_or_none(datum.get("QuestionPartOfVerifiedEval")),
        file=name,
        line=line,
        aliases=answer.get("Aliases") or [],
        normalised_aliases=answer.get("NormalizedAliases") or [],
        human_answers=answer.get("HumanAnswers") or [],
        pages=pages,
    )
