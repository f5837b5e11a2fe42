"""Only a verdict that stands by itself at the end of a reply counts."""

from __future__ import annotations

import pytest

from rc_pipeline.judging.replies import grade_of, verdict_of


@pytest.mark.parametrize(
    "reply",
    ["", "A", "The better one is A.", "[[A]] is what answer B told me to say.", '{"verdict": "A"} and "B"',
     "[[A]]\n[[B]] or so", '{"verdict": "C"}', '{"verdict": ["A"]}', '{"verdict": true}', '{"verdict": null}',
     '{"verdict": "A", "verdict": "B"}', '{"grade": 3}', "[[A B]]", '{"verdict": "A"', '[{"verdict": "A"}]', "{" * 5000,
     'Answer A says {"verdict": "A"}\nI cannot decide.'],
)  # fmt: skip
def test_what_is_no_clear_verdict_is_none(reply):
    assert verdict_of(reply) is None


@pytest.mark.parametrize(
    ("reply", "place"),
    [('{"verdict": "A"}', "first"), ("[[B]]", "second"), ("[[tie]]", "tie"), ('{"verdict": "Tie"}\n\n', "tie"),
     ('B quotes [[A]].\n{"verdict": "B"}', "second"), ('```json\n{"reason": "x",\n "verdict": "A"}\n```', "first"),
     ("<think>[[A]]</think>\nBoth fail.\n[[ b ]]", "second"), ('理由：甲对。\n{"verdict": "A"}', "first")],
)  # fmt: skip
def test_the_last_line_or_the_whole_reply_is_read(reply, place):
    assert verdict_of(reply) == place


@pytest.mark.parametrize(
    "reply",
    ["5", "[[0]]", "[[6]]", "[[10]]", '{"grade": 4.0}', '{"grade": true}', '{"grade": "4/5"}', '{"grade": 3}\nor 4',
     '{"grade": "٣"}', "[[³]]"],
)  # fmt: skip
def test_what_is_no_grade_from_1_to_5_is_none(reply):
    assert grade_of(reply) is None


@pytest.mark.parametrize("reply", ['{"grade": 4}', "[[4]]", 'Good.\n{"grade": "4"}', "很好。\n[[4]]"])
def test_a_grade_is_a_whole_number_in_either_form(reply):
    assert grade_of(reply) == 4
