from __future__ import annotations

import io
from typing import Any

import pytest

from rc_pipeline.corpora.readers import BadRow
from rc_pipeline.corpora.trivia_qa import Alias, BadPage, Question, document_of, read_questions, split_of
from tests.corpora.raw_archives import qa_file, question


def read(data: list[Any] | bytes, split: str = "wikipedia-train") -> list[Question | BadRow | BadPage]:
    raw = data if isinstance(data, bytes) else qa_file(data)
    return list(read_questions(io.BytesIO(raw), f"qa/{split}.json", split))


def answer(**changes: Any) -> dict[str, Any]:
    return {"Answer": question(0)["Answer"] | changes}


@pytest.mark.parametrize(
    ("datum", "reason", "field"),
    [
        ("text", "not_an_object", "Data"),
        ({"Question": "?"}, "missing_field", "QuestionId"),
        (question(1, Question=17), "not_text", "Question"),
        (question(1, Question="\ud800?"), "bad_utf8", "Question"),
        (question(1, Answer=None), "no_answer", "Answer"),
        (question(1, Answer="Sunset"), "no_answer", "Answer"),
        (question(1, **answer(Value=None)), "not_text", "Answer.Value"),
        (question(1, **answer(Aliases="Sunset")), "not_text", "Answer.Aliases"),
        (question(1, **answer(NormalizedAliases=["a", 1])), "not_text", "Answer.NormalizedAliases"),
        (question(1, **answer(NormalizedAliases=[])), "no_aliases", "Answer.NormalizedAliases"),
    ],
)
def test_a_question_that_cannot_be_used_is_set_aside_with_its_field(datum: Any, reason: str, field: str) -> None:
    raw = qa_file([question(0), datum, question(2)]) if reason != "bad_utf8" else None
    if raw is None:
        raw = qa_file([question(0), question(1), question(2)]).replace(b"number 1?", b"n\xe9mber?")
    first, bad, last = read(raw)
    assert isinstance(bad, BadRow)
    assert (bad.reason, bad.field) == (reason, field)
    assert raw.splitlines()[bad.line - 1].strip().startswith((b"{", b'"text"'))
    assert [one.id for one in (first, last) if isinstance(one, Question)] == ["tc_0", "tc_2"]


def test_a_page_without_a_file_name_is_set_aside_and_its_question_kept() -> None:
    pages = [{"Filename": "A.txt", "Title": "A"}, {"Title": "B"}, "C", {"Filename": "D.txt"}]
    *bad, kept = read([question(1, EntityPages=pages)])
    assert [one.bad.reason for one in bad if isinstance(one, BadPage)] == ["missing_field", "missing_field"]
    assert isinstance(kept, Question)
    assert [(page.position, page.filename, page.title) for page in kept.pages] == [(0, "A.txt", "A"), (3, "D.txt", "")]


def test_pages_that_are_no_list_are_set_aside() -> None:
    bad, kept = read([question(1, SearchResults={"Filename": "A.txt"})])
    assert isinstance(bad, BadPage)
    assert isinstance(kept, Question)


def test_a_test_question_needs_no_answer() -> None:
    datum = question(1, files=["A.txt"])
    del datum["Answer"]
    (found,) = read([datum], "web-test")
    assert isinstance(found, Question)
    assert (found.answer, found.answer_type, found.aliases) == (None, None, [])


def test_human_answers_alone_are_accepted_answers() -> None:
    (found,) = read([question(1, **answer(Aliases=[], NormalizedAliases=[], HumanAnswers=["the strip"]))])
    assert isinstance(found, Question)
    assert found.aliases == [Alias("the strip", normalised=False, human=True)]


def test_evidence_of_search_results_is_of_the_web_and_of_entity_pages_of_wikipedia() -> None:
    results = [{"Filename": "35/35_995.txt", "Title": "T"}]
    (found,) = read([question(1, files=["A.txt"], SearchResults=results)], "web-dev")
    assert isinstance(found, Question)
    assert [(page.kind, page.domain, page.position) for page in found.pages] == [
        ("entity", "wikipedia", 0),
        ("search", "web", 1),
    ]


def test_members_are_told_apart_by_their_place_in_the_archive() -> None:
    assert split_of("qa/wikipedia-train.json") == "wikipedia-train"
    assert split_of("triviaqa-rc/qa/web-test-without-answers.json") == "web-test"
    assert split_of("qa/verified-web-dev.json") is None
    assert split_of("evidence/web/web-dev.json") is None
    assert document_of("evidence/wikipedia/AC/DC.txt") == ("wikipedia", "AC/DC.txt")
    assert document_of("triviaqa-rc/evidence/web/1/1_2.txt") == ("web", "1/1_2.txt")
    assert document_of("evidence/wikipedia/._A.txt") is None
    assert document_of("README") is None
    assert document_of("qa/web-dev.json") is None
