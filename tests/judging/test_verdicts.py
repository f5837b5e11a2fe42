"""Pairs in both orders, and what verdicts come to."""

from __future__ import annotations

import json
import re
from math import comb

import pytest
from made import CATALOG, item

from rc_pipeline.judging.cards import read_card
from rc_pipeline.judging.items import Contents
from rc_pipeline.judging.records import Author, as_frame, read_all, write
from rc_pipeline.judging.tallies import graded, mean_of, pairwise
from rc_pipeline.judging.telling import lines, summary
from rc_pipeline.judging.verdicts import Verdict, judge_grades, judge_pairs

PAIRS, GRADES = read_card(CATALOG, "pairs_en", "pairs"), read_card(CATALOG, "grades_en", "grades")
CONTENTS = Contents("d/valid", "i", {"base": "p", "tuned": "q"})


def says(verdict: str) -> str:
    return json.dumps({"verdict": verdict})


def prefers(word: str):
    """Return a judge who finds the answer with a word better, wherever it stands."""

    def ask(requests):
        first = [re.search(r"<<<answer_a \w+>>>\n(.*)", request)[1] for request in requests]
        return [says("A" if word in one else "B") for one in first]

    return ask


def frame(verdicts, kind: str = "pairs"):
    return as_frame(Author(kind, "model", "m", "pairs_en", 0, CONTENTS).rows(verdicts))


def test_a_judge_who_looks_at_the_answers_is_consistent():
    items = [item("1", "good", "bad"), item("2", "bad", "good"), item("3", "good 2", "bad 2")]
    verdicts = judge_pairs(PAIRS, items, prefers("good"))
    assert [one.outcome for one in verdicts] == ["win", "loss", "win"]


@pytest.mark.parametrize(
    ("replies", "outcome", "favours"),
    [(("A", "A"), "inconsistent", "first"), (("B", "B"), "inconsistent", "second"), (("tie", "tie"), "tie", None),
     (("tie", "A"), "inconsistent", None), (("B", "tie"), "inconsistent", None), (("A", "C"), "unreadable", None),
     (("", "B"), "unreadable", None), (("A", "B"), "win", None), (("B", "A"), "loss", None)],
)  # fmt: skip
def test_a_verdict_that_turns_with_the_order_is_none(replies, outcome, favours):
    (found,) = judge_pairs(PAIRS, [item()], lambda _: [says(reply) for reply in replies])
    assert (found.outcome, found.favours) == (outcome, favours)


def test_nobody_is_asked_about_equal_answers():
    def ask(requests):
        assert not requests
        return []

    (found,) = judge_pairs(PAIRS, [item("k", "Ada", " Ada\n")], ask)
    assert found.outcome == "tie"
    tally = pairwise(frame([found]))
    assert (tally.same_answer, tally.win_rate.value, tally.inconsistent, tally.sign_test_p) == (1, 0.5, None, None)


def test_win_rate_sign_test_and_bias_are_counted_by_hand():
    outcomes = [("win", None)] * 8 + [("loss", None)] + [("tie", None)] * 2 + [("inconsistent", "first")] * 3
    outcomes += [("unreadable", None)]
    verdicts = [
        Verdict(item(f"k{n:02}", "a", "b"), outcome, favours=favours, reply="?", reply_swapped="!")
        for n, (outcome, favours) in enumerate(outcomes)
    ]
    tally = pairwise(frame(verdicts))
    assert tally.win_rate.n == 14
    assert tally.win_rate.value == pytest.approx((8 + 5 * 0.5) / 14, abs=1e-9)
    assert 0.5 < tally.win_rate.low < tally.win_rate.value < tally.win_rate.high <= 1
    # Two-sided sign test of 8 against 1: twice the chance of 8 or 9 heads of 9.
    assert tally.sign_test_p == pytest.approx(2 * (comb(9, 8) + 1) / 2**9)
    assert (tally.inconsistent.value, tally.inconsistent.n) == (pytest.approx(3 / 14, abs=1e-9), 14)
    assert (tally.favours_first, tally.favours_second) == (3, 0)
    assert tally.outcomes == {"win": 8, "loss": 1, "tie": 2, "inconsistent": 3, "unreadable": 1}


def test_several_peoples_verdicts_on_one_question_count_once():
    one, other = item("k1", "a", "b"), item("k2", "a", "b")
    rows = [Verdict(one, "win"), Verdict(one, "win"), Verdict(one, "loss"), Verdict(other, "tie")]
    tally = pairwise(frame(rows))
    assert tally.win_rate.n == 2
    assert tally.win_rate.value == pytest.approx((2 / 3 + 1 / 2) / 2, abs=1e-8)


def test_questions_about_one_passage_are_no_independent_witnesses():
    values = [1.0] * 10 + [0.0] * 10
    alone = mean_of(values, [str(n) for n in range(20)])
    together = mean_of(values, ["p1"] * 10 + ["p2"] * 10)
    assert (together.low, together.high) == (0.0, 1.0)
    assert together.low < alone.low < alone.high < together.high


def test_grades_are_read_and_an_unreadable_reply_is_counted_and_shown():
    replies = ['{"grade": 5}', "[[2]]", "Grade:\x1b[31m five"]
    verdicts = judge_grades(GRADES, [item(str(n), "x") for n in range(3)], lambda _: replies)
    table = frame(verdicts, "grades")
    tally = graded(table)
    assert (tally.grades[5], tally.grades[2], tally.unreadable) == (1, 1, 1)
    assert (tally.mean.value, tally.mean.n) == (3.5, 2)
    said = "\n".join(lines(summary(table, table["key"].is_not_null())))
    assert "unreadable: 1" in said
    assert "Grade:␛[31m five" in said
    assert "mean          3.50 [2.00, 5.00] of 2" in said


def test_with_no_readable_reply_there_is_no_score():
    verdicts = judge_pairs(PAIRS, [item()], lambda _: [says("A"), "no idea"])
    table = frame(verdicts)
    told = summary(table, table["key"].is_not_null())
    assert (told["win_rate"], told["inconsistent"]) == (None, None)
    assert "unreadable 1" in "\n".join(lines(told))
    assert told["unreadable_reply"] == "no idea"


@pytest.mark.parametrize("damage", [b"", b"PAR1 and no more"])
def test_a_damaged_file_of_judgements_is_named(tmp_path, damage):
    path = write(frame([Verdict(item(), "win")]), "abc", tmp_path)
    assert len(list(read_all(tmp_path))) == 1
    path.write_bytes(damage)
    with pytest.raises(ValueError, match=re.escape(f"{path}: no file of judgements")):
        list(read_all(tmp_path))


def test_a_later_judgement_takes_the_place_of_the_same_judges_earlier_one_only():
    def name(**changes):
        told = {"kind": "pairs", "by": "model", "judge": "m", "prompt": "pairs_en", "seed": 0, "contents": CONTENTS}
        return Author(**told | changes).name

    assert name() == name(contents=Contents("d/valid", "other", {"base": "x", "tuned": "y"}))
    others = [name(judge="n"), name(prompt="pairs_zh"), name(seed=1), name(by="person"),
              name(contents=Contents("d/valid", "i", {"tuned": "q", "base": "p"}))]  # fmt: skip
    assert len({name(), *others}) == 6
