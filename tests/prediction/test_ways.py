"""Options chosen in several ways, by real models and from whatever a model may have written."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from rc_pipeline.prediction.answers import predictions as table
from rc_pipeline.prediction.questions import Question
from rc_pipeline.prediction.row_cache import Result
from tests.models.tiny_models import PROMPT, instructions
from tests.prediction.test_run import predictions, run, spec_of

ALL = ["likelihood", "letter", "written"]
LETTERED = ["A. Rome", "B. Oslo", "C. Kyiv", "D. the blue box"]
ABOUT = {"run": "r", "eval_set": "e"}


def asked(choose_by: list[str], **more: Any) -> dict[str, Any]:
    return {"max_new_tokens": 6, "batch_size": 8, "max_tokens": None, "choose_by": choose_by, **more}


def lettered(count: int = 10) -> pl.DataFrame:
    return instructions(count, choices=True).with_columns(choices=pl.lit(LETTERED))


def chosen(choose_by: list[str], written: list[str], **question: Any) -> dict[str, Any]:
    """Return the row of one question whose options score 3, 1, 2, 4 backwards and whose answers are given."""
    one = Question("i", "r", "t", LETTERED, [1], [[5, 2], [6, 2], [7, 2], [8, 9, 2]], [[5], [6], [7], [8]], **question)
    told = {
        "likelihood": [Result([-3.0, -1.0, -2.0, -4.0])],
        "letter": [Result([-1.0, -2.0, -3.0, -4.0])],
        "written": [Result([-1.5], text, 3) for text in written],
    }
    return table(ABOUT, [one], {"i": {way: told[way] for way in choose_by if told[way]}}, choose_by).row(0, named=True)


def test_the_first_way_counts_and_the_others_stand_beside_it(llama: Path, tmp_path: Path) -> None:
    rows = {}
    for number, first in enumerate(ALL):
        ways = [first, *(way for way in ALL if way != first)]
        spec = spec_of(llama, tmp_path, lettered(), answer=asked(ways))
        outcome = run(spec)
        rows[first] = predictions(spec)
        assert rows[first]["choice"].equals(rows[first][f"choice_{first}"])
        assert len([name for name in outcome.metadata if "_agrees_with_" in name]) == 3
        # Other ways that were asked for before are known.
        assert outcome.metadata["computed_rows"] == (0 if number else 30)
    beside = [*(f"choice_{way}" for way in ALL), "likelihood_scores", "letter_scores"]
    for one, other in pairwise(rows.values()):
        assert_frame_equal(one.select(beside), other.select(beside))
    assert rows["likelihood"]["choice_scores"].equals(rows["likelihood"]["likelihood_scores"])
    assert rows["letter"]["choice_scores"].equals(rows["letter"]["letter_scores"])
    assert rows["written"]["choice_scores"].null_count() == 10
    assert rows["likelihood"]["written"].null_count() == 0


def test_a_letter_is_weighed_where_the_option_has_it(llama: Path, tmp_path: Path) -> None:
    bare = instructions(6, choices=True).with_columns(choices=pl.lit(["A", "B", "C", "D"]))
    spec = spec_of(llama, tmp_path, bare, answer=asked(["letter", "likelihood"]))
    run(spec)
    inside = spec_of(llama, tmp_path, lettered(6), answer=asked(["letter"]))
    run(inside)

    assert_frame_equal(predictions(spec).select("letter_scores"), predictions(inside).select("letter_scores"))


def test_options_without_labels_have_no_letter_to_choose_by(llama: Path, tmp_path: Path) -> None:
    spec = spec_of(llama, tmp_path, instructions(4, choices=True), answer=asked(["letter", "likelihood"]))

    outcome = run(spec)

    found = predictions(spec)
    assert found["problem"].to_list() == ["no_labels"] * 4
    assert (found["choice"].null_count(), found["choice_likelihood"].null_count()) == (4, 0)
    assert (outcome.metadata["no_labels"], outcome.metadata["letter_agrees_with_likelihood"]) == (4, "0.0 %")
    assert outcome.checks[0].passed


def test_a_prompt_is_the_same_whichever_way_is_asked_for(llama: Path, tmp_path: Path) -> None:
    spec = spec_of(llama, tmp_path, lettered(), answer=asked(["written"]), context_tokens=60)
    run(spec)
    both = spec_of(llama, tmp_path, lettered(), answer=asked(["likelihood", "written"]), context_tokens=60)

    assert run(both).metadata["computed_rows"] == 10
    assert predictions(both)["prompt_tokens"].equals(predictions(spec)["prompt_tokens"])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty_answer"),
        ("E", "no_choice"),
        ("A or B", "two_choices"),
        ("Вот А", "no_choice"),
        ("\x00\x07\ufffd", "no_choice"),
        ("word " * 2000, "no_choice"),
    ],
)
def test_malformed_answers_choose_nothing_and_say_why(text: str, problem: str) -> None:
    row = chosen(["written", "likelihood"], [text])
    assert (row["choice"], row["choice_written"], row["problem"]) == (None, None, problem)
    assert row["answer"] == row["written"] == text
    assert row["choice_likelihood"] == 1
    beside = chosen(["likelihood", "written"], [text])
    assert (beside["choice"], beside["answer"], beside["problem"]) == (1, "B. Oslo", None)


def test_most_samples_choose_and_the_first_of_equals() -> None:
    row = chosen(["written"], ["B", "nothing", "C.", "(C)"])
    assert (row["choice"], row["agreement"], row["samples"], row["written"]) == (2, 0.5, 4, "C.")
    assert chosen(["written"], ["B", "C"])["choice"] == 1
    nobody = chosen(["written"], ["", "A or B"])
    assert (nobody["choice"], nobody["agreement"], nobody["problem"]) == (None, None, "empty_answer")


def test_reasoning_is_not_read_for_an_option() -> None:
    row = chosen(["written"], ["A. or B. it may be\nAnswer: C"], answer_after="Answer:")
    assert (row["choice"], row["answer"]) == (2, "C. Kyiv")
    assert chosen(["written"], ["It is C."], answer_after="Answer:")["problem"] == "empty_answer"


def test_perplexity_measures_the_right_answer_and_changes_no_other(llama: Path, tmp_path: Path) -> None:
    frame = pl.concat([lettered(5).with_columns(output=pl.lit("A. Rome")), instructions(5, dataset="free")])
    plain = spec_of(llama, tmp_path, frame, answer=asked(["likelihood"]))
    run(plain)
    before = predictions(plain)
    spec = spec_of(llama, tmp_path, frame, answer=asked(["likelihood"], perplexity=True))

    assert run(spec).metadata["computed_rows"] == 10

    found = predictions(spec)
    told = ["gold_logprob", "gold_tokens"]
    assert_frame_equal(found.drop(told), before.drop(told))
    assert before["gold_logprob"].null_count() == 10
    first = found.filter(pl.col("choice").is_not_null())
    scores = first["likelihood_scores"].list.get(0)
    assert (first["gold_logprob"] / first["gold_tokens"] - scores).abs().max() < 1e-4  # type: ignore[operator]


def test_a_right_answer_that_does_not_fit_is_not_measured(llama: Path, tmp_path: Path) -> None:
    frame = instructions(3).with_columns(output=pl.lit("Rome " * 200))
    spec = spec_of(llama, tmp_path, frame, answer=asked(["likelihood"], perplexity=True))
    run(spec)
    assert predictions(spec)["gold_logprob"].null_count() == 3
    assert predictions(spec)["problem"].null_count() == 3


@pytest.mark.parametrize("choose_by", [["likelihood"], ALL])
def test_a_model_with_an_encoder_answers_and_chooses(t5: Path, tmp_path: Path, choose_by: list[str]) -> None:
    frame = pl.concat([lettered(5), instructions(5, dataset="free")])
    base = {"base": {"folder": str(t5), "family": "t5"}}
    spec = spec_of(t5, tmp_path, frame, answer=asked(choose_by, perplexity=True)) | base
    run(spec)
    found = predictions(spec)
    assert found["problem"].null_count() == 10
    assert found["gold_logprob"].null_count() == 0
    alone = spec_of(t5, tmp_path / "alone", frame, answer=asked(choose_by, batch_size=1)) | base
    run(alone)
    told = ["answer", "choice", "written", *(f"choice_{way}" for way in ALL)]
    assert_frame_equal(predictions(alone).select(told), found.select(told))


def test_beams_are_asked_for_by_the_spec_and_kept_by_their_number(llama: Path, tmp_path: Path) -> None:
    one, four = (spec_of(llama, tmp_path, instructions(6), answer=asked(["likelihood"], beams=n)) for n in (1, 4))
    assert run(one).metadata["computed_rows"] == 6
    greedy = predictions(one)
    assert run(four).metadata["computed_rows"] == 6
    assert predictions(four)["answer_logprob"].sum() > greedy["answer_logprob"].sum()
    assert run(spec_of(llama, tmp_path, instructions(6))).metadata["computed_rows"] == 0


def test_latency_is_told_apart_from_what_was_answered(llama: Path, tmp_path: Path) -> None:
    spec = spec_of(llama, tmp_path, lettered(4), answer=asked(ALL))
    outcome = run(spec)
    took = pl.read_parquet(Path(spec["out"]) / "_latency.parquet")
    assert took["instruction_id"].to_list() == predictions(spec)["instruction_id"].to_list()
    assert took["seconds"].min() > 0  # type: ignore[operator]
    assert outcome.metadata["seconds_a_question"] == pytest.approx(took["seconds"].mean(), abs=5e-5)


def test_what_begins_another_turn_ends_an_answer_and_is_part_of_its_name(llama: Path, tmp_path: Path) -> None:
    headed = PROMPT | {"prompt_input": "### Ask:\n{instruction}\n{input}\nAnswer:"}
    spec = spec_of(llama, tmp_path, instructions(3), prompt=headed)
    run(spec)
    assert not predictions(spec)["written"].str.contains("### Ask:").any()
