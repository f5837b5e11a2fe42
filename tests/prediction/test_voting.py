from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_pipeline.prediction.voting import NO_MARK, answer_in, vote


@pytest.mark.parametrize(
    ("text", "mark", "answer"),
    [
        ("St. Louis, Missouri", None, "St. Louis, Missouri"),
        ("Because.\nAnswer: Lisbon\nMore.", "Answer:", "Lisbon"),
        ("Answer: no\nAnswer:\n\n Lisbon ", "Answer:", "Lisbon"),
        ("因为下雨。答案：里斯本", "答案：", "里斯本"),
        ("It is Lisbon", "Answer:", None),
        ("Answer:", "Answer:", ""),
        ("", "Answer:", None),
    ],
)
def test_the_answer_stands_behind_the_last_mark(text: str, mark: str | None, answer: str | None) -> None:
    assert answer_in(text, mark) == answer


def test_without_any_mark_there_is_no_answer_and_the_problem_says_so() -> None:
    verdict = vote(["I do not know", "Nor I"], "Answer:")
    assert (verdict.answer, verdict.written, verdict.problem) == ("", "I do not know", NO_MARK)


def test_most_samples_decide_and_of_equals_the_first_given() -> None:
    texts = ["Answer: Rome", "no mark", "Answer: lisbon.", "so\nAnswer: Lisbon"]
    verdict = vote(texts, "Answer:")
    assert (verdict.answer, verdict.written, verdict.agreement, verdict.problem) == ("lisbon.", texts[2], 0.5, None)
    assert vote(["Oslo", "Rome"], None).answer == "Oslo"


@given(st.lists(st.text(), min_size=1), st.sampled_from([None, "Answer:", "答案："]))
def test_any_text_whatever_has_a_verdict(texts: list[str], mark: str | None) -> None:
    verdict = vote(texts, mark)
    assert verdict.written in texts
    assert 0 <= verdict.agreement <= 1
    assert (verdict.problem == NO_MARK) == all(answer_in(text, mark) is None for text in texts)
