from __future__ import annotations

import io
from typing import Any

import pytest

from rc_pipeline.corpora.readers import BadRow
from rc_pipeline.corpora.trivia_qa import BadPage, Question, document_of, read_questions, split_of
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
        (question(1, **answer(NormalizedAliases=["a", None])), "not_text", "Answer.NormalizedAliases"),
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
    assert (found.answer, found.answer_type, found.aliases, found.normalised_aliases) == (None, None, [], [])


def test_human_answers_alone_are_accepted_answers() -> None:
    (found,) = read([question(1, **answer(Aliases=[], NormalizedAliases=[], HumanAnswers=["the strip"]))])
    assert isinstance(found, Question)
    assert (found.aliases, found.normalised_aliases, found.human_answers) == ([], [], ["the strip"])


def test_evidence_of_search_results_is_of_the_web_and_of_entity_pages_of_wikipedia() -> None:
    results = [{"Filename": "35/35_995.txt", "Title": "T"}]
    (found,) = read([question(1, files=["A.txt"], SearchResults=results)], "web-dev")
    assert isinstance(found, Question)
    assert [(page.kind, page.domain, page.position) for page in found.pages] == [
        ("entity", "wikipedia", 0),
        ("search", "web", 1),
    ]


def test_what_the_file_says_of_a_page_is_kept_and_what_it_does_not_say_is_null() -> None:
    said = {"Filename": "A.txt", "LinkProbability": "0.25", "DocPartOfVerifiedEval": False}
    odd = {"Filename": "B.txt", "LinkProbability": "often", "Rank": True, "DocPartOfVerifiedEval": "no", "Title": 3}
    ranked = {"Filename": "1/1_2.txt", "Rank": 3, "DocPartOfVerifiedEval": True}
    datum = question(1, EntityPages=[said, odd], SearchResults=[ranked], QuestionPartOfVerifiedEval=True)
    verified, silent = read([datum, question(2)], "verified-web-dev")
    assert isinstance(verified, Question)
    assert isinstance(silent, Question)
    assert (verified.verified, silent.verified, verified.source) == (True, None, "s")
    assert [(page.rank, page.link_probability, page.verified) for page in verified.pages] == [
        (None, 0.25, False),
        (None, None, None),
        (3, None, True),
    ]


def test_members_are_told_apart_by_their_place_in_the_archive() -> None:
    assert split_of("qa/wikipedia-train.json") == "wikipedia-train"
    assert split_of("triviaqa-rc/qa/web-test-without-answers.json") == "web-test"
    assert split_of("qa/verified-web-dev.json") == "verified-web-dev"
    assert split_of("qa/._web-dev.json") is None
    assert split_of("web-dev.json") is None
    assert split_of("evidence/web/web-dev.json") is None
    assert document_of("evidence/wikipedia/AC/DC.txt") == ("wikipedia", "AC/DC.txt")
    assert document_of("triviaqa-rc/evidence/web/1/1_2.txt") == ("web", "1/1_2.txt")
    assert document_of("evidence/wikipedia/._A.txt") is None
    assert document_of("evidence/wikipedia/") is None
    assert document_of("old_evidence/wikipedia/A.txt") is None
    assert document_of("README") is None
    assert document_of("qa/web-dev.json") is None
