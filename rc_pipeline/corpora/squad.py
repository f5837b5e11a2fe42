"""SQuAD and what follows its layout (CMRC 2018, DRCD, DuReader-robust): questions whose answers stand in a passage.

Three forms are read: {data: [{title, paragraphs: [{context, qas}]}]}; flat records as hubs keep them, with answers as
{text: [], answer_start: []}; and the passages of CMRC 2018's own release, with context_text, query_text and query_id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from rc_pipeline.corpora.inventory import RawFile
from rc_pipeline.corpora.json_stream import elements_under
from rc_pipeline.corpora.readers import BadRow, Row, buffered, first_text_fault, text_fault
from rc_pipeline.corpora.records import BYTE_ORDER_MARK, START_BYTES, read_records

# JSON lines start with an object, too: the first key tells records from a document.
_RECORD_KEYS = rb'"(id|title|context|question|answers|context_id|context_text|qas|paragraphs)"'
_DOCUMENT = re.compile(rb"\s*\{(?!\s*" + _RECORD_KEYS + rb"\s*:)")
_ALSO_CALLED = {"context": "context_text", "question": "query_text", "id": "query_id"}
_TEXTS = ("id", "title", "context", "question")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where something stands: the file, the line, and the way from there."""

    file: str
    line: int
    way: str = ""

    def at(self, step: str) -> _Place:
        """Return the place one step further in."""
        return replace(self, way=f"{self.way}.{step}" if self.way else step)

    def bad(self, reason: str, value: object, row: object) -> BadRow:
        """Return what stands here as a bad row."""
        return BadRow(reason, self.file, self.line, self.way or "the row", str(value), row)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question with the passage that it is about."""

    title: Any
    context: Any
    qa: Any
    place: _Place


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer and where it starts in the passage; moved, if that is not where the file says."""

    text: str
    start: int
    moved: bool


def read_questions(file: RawFile, split: str, seen: set[str]) -> Iterator[Row | BadRow]:
    """Yield the questions of a file; `seen` holds the ids of its split, of which none is taken twice."""
    for asked in _questions(file):
        row = asked if isinstance(asked, BadRow) else _row(asked, answered=split != "test")
        if isinstance(row, Row) and row.key in seen:
            yield BadRow("duplicate_id", row.file, row.line, "id", row.key, row.fields)
            continue
        if isinstance(row, Row):
            seen.add(row.key)
        yield row


def _questions(file: RawFile) -> Iterator[_Asked | BadRow]:
    data = buffered(file.data)
    if _DOCUMENT.match(data.peek(START_BYTES).removeprefix(BYTE_ORDER_MARK)):
        for line, article in elements_under("data", data, str(file)):
            yield from _of_article(article, _Place(file.name, line))
        return
    for row in read_records(replace(file, data=data)):
        if isinstance(row, BadRow):
            yield row
            continue
        place = _Place(row.file, row.line)
        if "paragraphs" in row.fields:
            yield from _of_article(row.fields, place)
        elif "qas" in row.fields:
            yield from _of_paragraph(row.fields, None, place)
        else:
            yield _Asked(row.fields.get("title"), _named(row.fields, "context"), row.fields, place)


def _of_article(article: Any, place: _Place) -> Iterator[_Asked | BadRow]:
    paragraphs = _list_in(article, "paragraphs", place)
    if isinstance(paragraphs, BadRow):
        yield paragraphs
        return
    for number, paragraph in enumerate(paragraphs):
        yield from _of_paragraph(paragraph, article.get("title"), place.at(f"paragraphs[{number}]"))


def _of_paragraph(paragraph: Any, title: Any, place: _Place) -> Iterator[_Asked | BadRow]:
    qas = _list_in(paragraph, "qas", place)
    if isinstance(qas, BadRow):
        yield qas
        return
    title = title or paragraph.get("title")
    for number, qa in enumerate(qas):
        yield _Asked(title, _named(paragraph, "context"), qa, place.at(f"qas[{number}]"))


def _list_in(element: Any, name: str, place: _Place) -> list[Any] | BadRow:
    """Return a list that has something in it."""
    if not isinstance(element, dict):
        return place.bad("not_an_object", element, element)
    found = element.get(name)
    if isinstance(found, list) and found:
        return found
    reason = "missing_field" if found is None else "not_a_list" if found != [] else "no_questions"
    return place.at(name).bad(reason, found, element)


def _named(element: dict[str, Any], name: str) -> Any:
    return element.get(name, element.get(_ALSO_CALLED.get(name, "")))


def _row(asked: _Asked, *, answered: bool) -> Row | BadRow:
    qa, place = asked.qa, asked.place
    if not isinstance(qa, dict):
        return place.bad("not_an_object", qa, qa)
    named = {"id": _named(qa, "id"), "title": asked.title or "", "context": asked.context}
    named |= {"question": _named(qa, "question")}
    fields = {**qa, **{name: value for name, value in named.items() if value is not None}}
    bad = first_text_fault(fields, _TEXTS, place.file, place.line)
    if bad:
        return replace(bad, field=place.at(bad.field).way)
    found = _answers(fields, place, answered=answered)
    if isinstance(found, BadRow):
        return found
    first = found[0] if found else None
    kept: dict[str, Any] = {name: fields[name] for name in _TEXTS}
    kept |= {"answer": first and first.text, "answers": list(dict.fromkeys(answer.text for answer in found))}
    kept |= {"answer_start": first and first.start, "moved_answers": sum(answer.moved for answer in found)}
    return Row(kept, place.file, place.line, fields["id"])


def _answers(fields: dict[str, Any], place: _Place, *, answered: bool) -> list[_Answer] | BadRow:
    """Return the answers of a question; one that must have some and has none is bad."""
    given = _given(fields, place.at("answers"))
    if isinstance(given, BadRow):
        return given
    if not answered:
        # Publishers blank the answers that they keep to themselves.
        given = [(text, start) for text, start in given if text]
    impossible = fields.get("is_impossible") or False
    if not isinstance(impossible, bool) or (impossible and given):
        return place.at("is_impossible").bad("impossible_or_not", fields["is_impossible"], fields)
    # Hubs have no field for it: there, empty lists say that a question has no answer.
    if answered and not (given or impossible or isinstance(fields.get("answers"), dict)):
        return place.at("answers").bad("no_answer", fields.get("answers"), fields)
    found = []
    for number, (text, start) in enumerate(given):
        answer = _located(text, start, fields["context"])
        if isinstance(answer, str):
            return place.at(f"answers[{number}]").bad(answer, {"text": text, "answer_start": start}, fields)
        found.append(answer)
    return found


def _given(fields: dict[str, Any], place: _Place) -> list[tuple[Any, Any]] | BadRow:
    """Return (text, start) of every answer as the file has them."""
    answers = fields.get("answers") or []
    if isinstance(answers, dict):
        texts, starts = answers.get("text"), answers.get("answer_start")
        if not (isinstance(texts, list) and isinstance(starts, list) and len(texts) == len(starts)):
            return place.bad("unequal_lists", answers, fields)
        return list(zip(texts, starts, strict=True))
    if not isinstance(answers, list):
        return place.bad("not_a_list", answers, fields)
    return [
        (answer.get("text"), answer.get("answer_start")) if isinstance(answer, dict) else (answer, None)
        for answer in answers
    ]


def _located(text: Any, start: Any, context: str) -> _Answer | str:
    """Return an answer with its place in the passage, the nearest to where it is said to be, or what is wrong."""
    reason = text_fault(text) or ("" if text.strip() else "empty_answer")
    if reason:
        return reason
    if start is None:
        at = context.find(text)
        return _Answer(text, at, moved=False) if at >= 0 else "answer_not_in_context"
    if not isinstance(start, int) or isinstance(start, bool):
        return "not_a_number"
    if start >= 0 and context.startswith(text, start):
        return _Answer(text, start, moved=False)
    begin = max(start, 0)
    places = [at for at in (context.rfind(text, 0, begin + len(text)), context.find(text, begin)) if at >= 0]
    if not places:
        return "answer_not_in_context"
    return _Answer(text, min(places, key=lambda at: abs(at - begin)), moved=True)
