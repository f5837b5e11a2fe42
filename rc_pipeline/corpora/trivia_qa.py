"""TriviaQA RC: one archive of question files (qa/*.json) and of the documents that they cite (evidence/**)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from rc_pipeline.corpora.json_stream import elements_under
from rc_pipeline.corpora.readers import BadRow, Readable, first_text_fault, text_fault

# Evidence of an entity page is a Wikipedia article in both domains.
PAGE_KINDS = (("EntityPages", "entity", "wikipedia"), ("SearchResults", "search", "web"))
DOMAINS = ("wikipedia", "web")
SPLITS = tuple(f"{domain}-{part}" for domain in DOMAINS for part in ("train", "dev", "test"))
ALIAS_KINDS = (("Aliases", False, False), ("NormalizedAliases", True, False), ("HumanAnswers", False, True))


@dataclass(frozen=True, slots=True)
class Alias:
    """One accepted answer."""

    text: str
    normalised: bool
    human: bool


@dataclass(frozen=True, slots=True)
class Page:
    """One document that a question cites."""

    position: int
    kind: str
    domain: str
    filename: str
    title: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its answers and pages; a test question has no answer."""

    id: str
    question: str
    answer: str | None
    answer_type: str | None
    file: str
    line: int
    aliases: list[Alias] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BadPage:
    """A page entry that names no document."""

    bad: BadRow


def split_of(member: str) -> str | None:
    """Return the split that a member of the archive holds, if it is a question file."""
    parts = PurePosixPath(member).parts
    if len(parts) < 2 or parts[-2] != "qa" or not parts[-1].endswith(".json"):
        return None
    split = parts[-1].removesuffix(".json").replace("-test-without-answers", "-test")
    return split if split in SPLITS else None


def document_of(member: str) -> tuple[str, str] | None:
    """Return (domain, file name) if a member of the archive is a document."""
    parts = PurePosixPath(member).parts
    for at, part in enumerate(parts[:-2]):
        if part == "evidence" and parts[at + 1] in DOMAINS:
            return (parts[at + 1], "/".join(parts[at + 2 :])) if not parts[-1].startswith("._") else None
    return None


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
    for key, _, _ in ALIAS_KINDS:
        given = answer.get(key) or []
        faults = [text_fault(alias) for alias in given] if isinstance(given, list) else ["not_text"]
        reason = next((fault for fault in faults if fault), None)
        if reason:
            return BadRow(reason, name, line, f"Answer.{key}", ascii(given), datum)
    if not (answer.get("NormalizedAliases") or answer.get("HumanAnswers")):
        return BadRow("no_aliases", name, line, "Answer.NormalizedAliases", "[]", datum)
    return None


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
            fault = first_text_fault(fields, ("Filename",), name, line)
            if fault:
                place = f"{key} of {datum['QuestionId']}: {fault.field}"
                bad.append(BadPage(BadRow(fault.reason, name, line, place, fault.value, entry)))
                continue
            title = fields.get("Title")
            title = title if text_fault(title) is None else ""
            pages.append(Page(len(pages) + len(bad), kind, domain, fields["Filename"], str(title)))
    return pages, bad


def _question(datum: dict[str, Any], pages: list[Page], name: str, line: int) -> Question:
    answer = datum.get("Answer") or {}
    kind = answer.get("Type")
    aliases = [
        Alias(text, normalised, human) for key, normalised, human in ALIAS_KINDS for text in answer.get(key) or []
    ]
    return Question(
        id=datum["QuestionId"],
        question=datum["Question"],
        answer=answer.get("Value"),
        answer_type=kind if text_fault(kind) is None else None,
        file=name,
        line=line,
        aliases=aliases,
        pages=pages,
    )
