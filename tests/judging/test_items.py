"""Which questions are judged, and with which of a run's answers."""

from __future__ import annotations

import polars as pl
from made import instructions, predictions, written

from rc_pipeline.judging.items import Contender, Contents, Subject, drawn


def subject(tmp_path, asked: pl.DataFrame, *answers: list[str | None], rows: tuple[int | None, ...] = (None, None)):
    contenders = tuple(
        Contender(written(predictions(f"run{n}", asked, said), tmp_path / f"{n}.parquet"), limit)
        for n, (said, limit) in enumerate(zip(answers, rows, strict=False))
    )
    contents = Contents("d/valid", "i", {f"run{n}": "p" for n in range(len(answers))})
    return Subject(contents, written(asked, tmp_path / "asked.parquet"), contenders)


def test_the_passage_is_parted_from_the_question_and_an_answer_that_is_missing_is_empty(tmp_path):
    items = subject(tmp_path, instructions(2), ["0", None], ["zero", "一"]).items()
    assert [one.answers for one in items] == [("0", "zero"), ("", "一")]
    assert items[1].passage == "Ada has 1 owls."
    assert items[1].question == "Answer.\n\nQuestion: how many?"
    assert [one.cluster for one in items] == ["g0", "g0"]


def test_only_questions_that_both_runs_were_asked_are_judged(tmp_path):
    items = subject(tmp_path, instructions(6), ["x"] * 6, ["y"] * 6, rows=(4, 3)).items()
    assert [one.key for one in items] == [f"d/valid/{n}" for n in range(3)]


def test_a_row_without_a_passage_is_all_question_and_earlier_turns_come_first(tmp_path):
    asked = instructions(1, passage_start=-1, passage_end=-1, history=[["Hi", "Hello."]])
    (one,) = subject(tmp_path, asked, ["1"]).items()
    assert one.passage == ""
    assert one.question == "Hi\n\nHello.\n\nAnswer.\n\nAda has 0 owls.\n\nQuestion: how many?"


def test_of_several_documents_the_likeliest_answer_counts_and_both_runs_are_shown_one_text(tmp_path):
    asked = instructions(3).with_columns(answer_keys=pl.lit(["q1"]))
    runs = []
    for name, likely in (("run0", [-3.0, -1.0, -2.0]), ("run1", [-1.0, -2.0, -3.0])):
        told = predictions(name, asked, [f"{name} {n}" for n in range(3)])
        runs.append(Contender(written(told.with_columns(answer_logprob=pl.Series(likely)), tmp_path / name)))
    where = written(asked, tmp_path / "asked.parquet")
    (one,) = Subject(Contents("d/valid", "i", {"run0": "", "run1": ""}), where, tuple(runs)).items()
    assert (one.key, one.answers) == ("q1", ("run0 1", "run1 0"))
    assert one.passage == "Ada has 0 owls."


def test_more_rows_go_on_from_fewer_and_another_seed_draws_others(tmp_path):
    items = subject(tmp_path, instructions(40), ["x"] * 40).items()
    keys = [one.key for one in drawn(items, 0, None)]
    assert [one.key for one in drawn(list(reversed(items)), 0, 10)] == keys[:10]
    assert sorted(keys) == sorted(one.key for one in items)
    assert [one.key for one in drawn(items, 1, 10)] != keys[:10]


def test_a_digest_tells_any_change_of_what_was_judged(tmp_path):
    asked = instructions(1)
    first = subject(tmp_path, asked, ["1"]).items()[0].digest
    assert subject(tmp_path, asked, ["1"]).items()[0].digest == first
    assert subject(tmp_path, asked, ["1 "]).items()[0].digest != first
    assert subject(tmp_path, instructions(1, instruction="Reply."), ["1"]).items()[0].digest != first
