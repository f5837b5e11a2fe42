from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.prediction.questions import NothingToAsk
from rc_pipeline.prediction.run import PromptMismatch, predict
from rc_pipeline.training.run import train
from rc_pipeline.worker import Progress
from tests.models.tiny_models import PROMPT, instructions, training_spec, write_instructions


def mixed(count: int = 12) -> pl.DataFrame:
    return pl.concat([instructions(count, choices=True), instructions(count, dataset="free")])


def spec_of(base: Path, folder: Path, frame: pl.DataFrame, **changes: Any) -> dict[str, Any]:
    return {
        "run": "tuned",
        "eval_set": "toy/train",
        "base": {"folder": str(base), "family": "llama"},
        "adapter": None,
        "prompt": PROMPT,
        "instructions": [write_instructions(folder / "questions.parquet", frame)],
        "rows": None,
        "answer": {"max_new_tokens": 6, "batch_size": 8, "max_tokens": None},
        "context_tokens": 128,
        "weights": "w",
        "cache": str(folder / "cache"),
        "cache_salt": "s",
        "threads": 1,
        "out": str(folder / "out"),
    } | changes


def run(spec: dict[str, Any]) -> Outcome:
    return predict(spec, Progress("prediction", [].append))


def predictions(spec: dict[str, Any]) -> pl.DataFrame:
    return pl.read_parquet(Path(spec["out"]) / "predictions.parquet")


def test_an_adapter_is_never_asked_with_another_prompt(llama: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "prompt.json").write_text(json.dumps(PROMPT | {"prompt_no_input": "{instruction} Answer:"}))

    with pytest.raises(PromptMismatch, match=r"(?s)prompt_no_input.*name the template in answer\.template"):
        run(spec_of(llama, tmp_path, mixed(), adapter=str(adapter)))


def test_an_adapter_without_a_prompt_is_refused(llama: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"prompt\.json: missing"):
        run(spec_of(llama, tmp_path, mixed(), adapter=str(tmp_path)))


def test_an_empty_evaluation_set_is_refused(llama: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingToAsk, match=r"questions\.parquet"):
        run(spec_of(llama, tmp_path, mixed(), rows=0))


def test_every_question_has_one_row_in_order_of_its_id(llama: Path, tmp_path: Path) -> None:
    spec = spec_of(llama, tmp_path, mixed())

    outcome = run(spec)

    found = predictions(spec)
    assert found["instruction_id"].to_list() == sorted(mixed()["instruction_id"])
    chosen = found.filter(pl.col("choice").is_not_null())
    written = found.filter(pl.col("choice").is_null())
    assert chosen.height == written.height == 12
    for row in chosen.join(mixed().select("instruction_id", "choices"), on="instruction_id").to_dicts():
        assert row["choice"] == row["choice_scores"].index(max(row["choice_scores"]))
        assert row["answer"] == row["choices"][row["choice"]]
    assert set(written["answer_tokens"]) <= set(range(7))
    assert outcome.tables == {"predictions": ["predictions.parquet"], "latency": ["_latency.parquet"]}


def test_rows_are_those_of_smallest_order(llama: Path, tmp_path: Path) -> None:
    spec = spec_of(llama, tmp_path, mixed(), rows=5)

    run(spec)

    expected = mixed().sort("order", "instruction_id").head(5)["instruction_id"]
    assert predictions(spec)["instruction_id"].to_list() == sorted(expected)


def test_a_row_that_fits_in_no_way_carries_its_reason(llama: Path, tmp_path: Path) -> None:
    long = pl.when(pl.int_range(pl.len()) == 3).then(pl.lit("what " * 200)).otherwise("instruction")
    spec = spec_of(llama, tmp_path, instructions(6).with_columns(instruction=long))

    outcome = run(spec)

    row = predictions(spec).row(3, named=True)
    assert (row["problem"], row["answer"], row["finished"]) == ("prompt_too_long", None, False)
    assert predictions(spec)["problem"].null_count() == 5
    assert outcome.metadata["prompt_too_long"] == 1
    assert [(check.passed, check.blocking) for check in outcome.checks] == [(False, False)]


def test_passages_are_cut_so_that_the_longest_option_fits(llama: Path, tmp_path: Path) -> None:
    spec = spec_of(llama, tmp_path, instructions(10, choices=True), context_tokens=40)

    run(spec)

    found = predictions(spec)
    assert found["passage_tokens_cut"].max() > 0  # type: ignore[operator]
    asked = instructions(10, choices=True).join(found, on="instruction_id")
    whole = asked["passage_characters_kept"] == asked["passage_end"]
    assert (whole == (asked["passage_tokens_cut"] == 0)).all()
    assert found["prompt_tokens"].max() < 38  # type: ignore[operator]


def test_one_more_row_computes_just_that_row(llama: Path, tmp_path: Path) -> None:
    fewer = spec_of(llama, tmp_path, mixed().head(20))
    run(fewer)
    before = predictions(fewer)
    known = before["instruction_id"].to_list()
    more = spec_of(llama, tmp_path, mixed().head(21))

    outcome = run(more)

    assert (outcome.metadata["cached_rows"], outcome.metadata["computed_rows"]) == (20, 1)
    assert_frame_equal(predictions(more).filter(pl.col("instruction_id").is_in(known)), before)


@pytest.mark.parametrize(
    "change",
    [
        {"cache_salt": "other"},
        {"weights": "other"},
        {"prompt": PROMPT | {"prompt_input": "{input}\n{instruction}\nSay it. Answer:"}},
    ],
)
def test_other_code_weights_or_prompts_compute_anew(llama: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    run(spec_of(llama, tmp_path, mixed()))

    assert run(spec_of(llama, tmp_path, mixed(), **change)).metadata["cached_rows"] == 0


def test_decoding_settings_recompute_what_they_decide_and_nothing_else(llama: Path, tmp_path: Path) -> None:
    run(spec_of(llama, tmp_path, mixed()))
    longer = {"max_new_tokens": 7, "batch_size": 8, "max_tokens": None}

    outcome = run(spec_of(llama, tmp_path, mixed(), answer=longer))

    assert outcome.metadata["cached_rows"] == 12


def test_predictions_do_not_depend_on_the_batches_they_were_made_in(llama: Path, tmp_path: Path) -> None:
    at_once = spec_of(llama, tmp_path / "a", mixed())
    run(at_once)
    run(spec_of(llama, tmp_path / "b", mixed(), rows=7))
    in_turns = spec_of(llama, tmp_path / "b", mixed()[::-1], answer=at_once["answer"] | {"batch_size": 3})
    run(in_turns)

    # A score that lies on the edge of its fifth digit may fall to either side.
    assert_frame_equal(predictions(in_turns), predictions(at_once), abs_tol=1.5e-5, rel_tol=0)


def test_identical_questions_are_asked_once(llama: Path, tmp_path: Path) -> None:
    same = instructions(1)
    frame = pl.concat([same.with_columns(instruction_id=pl.lit(f"toy/{i}")) for i in range(4)])
    spec = spec_of(llama, tmp_path, frame)

    assert run(spec).metadata["computed_rows"] == 1
    assert predictions(spec)["answer"].n_unique() == 1


def test_a_killed_run_goes_on_where_it_was(llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(Exception):
        pass

    class Deadly(Progress):
        def __call__(self, done: int, total: int, **figures: float) -> None:
            if done >= 16:
                raise Killed

    monkeypatch.setattr("rc_pipeline.prediction.answering.SECONDS_BETWEEN_SHARDS", 0.0)
    spec = spec_of(llama, tmp_path, mixed())
    with pytest.raises(Killed):
        predict(spec, Deadly("prediction", [].append))

    outcome = run(spec)

    assert (outcome.metadata["cached_rows"], outcome.metadata["computed_rows"]) == (20, 4)


CALL_THAT_IMPORTS_NO_TORCH = """
import json, sys
from rc_pipeline.prediction.__main__ import work
from rc_pipeline.worker import Progress
outcome = work(json.load(open(sys.argv[1])), Progress("prediction"))
assert outcome.metadata["computed_rows"] == 0, outcome
assert "torch" not in sys.modules
"""


def test_a_second_call_computes_nothing_and_imports_no_torch(llama: Path, tmp_path: Path) -> None:
    spec = spec_of(llama, tmp_path, mixed())
    run(spec)
    first = predictions(spec)
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec))

    subprocess.run([sys.executable, "-c", CALL_THAT_IMPORTS_NO_TORCH, str(path)], check=True)

    assert_frame_equal(predictions(spec), first)


def test_a_tuned_adapter_answers_what_it_learnt(llama: Path, tmp_path: Path) -> None:
    frame = instructions(48)
    learnt = training_spec(llama, tmp_path / "train", frame, epochs=12, learning_rate=2e-2, rank=8)
    train(learnt, Progress("training", [].append))
    spec = spec_of(llama, tmp_path, frame, adapter=learnt["out"])

    run(spec)

    right = predictions(spec).join(frame, on="instruction_id").filter(pl.col("answer") == pl.col("output"))
    assert right.height > 30
    assert predictions(spec)["finished"].sum() > 40


def test_an_adapter_is_asked_with_another_prompt_where_that_is_the_experiment(llama: Path, tmp_path: Path) -> None:
    frame = instructions(8)
    learnt = training_spec(llama, tmp_path / "train", frame)
    train(learnt, Progress("training", [].append))
    other = PROMPT | {"prompt_input": "{instruction}\n{input}\nAnswer:"}
    spec = spec_of(llama, tmp_path, frame, adapter=learnt["out"], prompt=other, experiment=True)

    run(spec)

    assert predictions(spec)["problem"].null_count() == 8


CHATS = (
    "{% for m in messages %}<s>{{ m['content'] }}</s>{% endfor %}",
    "{% for m in messages %}{{ m['content'] }}|{% endfor %}",
)


def with_chat_template(base: Path, folder: Path, template: str) -> Path:
    shutil.copytree(base, folder)
    (folder / "chat_template.jinja").write_text(template)
    return folder


def test_an_adapter_travels_with_the_chat_template_that_it_learnt_with(llama: Path, tmp_path: Path) -> None:
    ours, other = (with_chat_template(llama, tmp_path / f"llama{i}", text) for i, text in enumerate(CHATS))
    chat = {"prompt": {"name": "chat", "chat_template": "tokenizer"}}
    spec = training_spec(ours, tmp_path, instructions(8)) | chat
    assert all(check.passed for check in train(spec, Progress("training", [].append)).checks)
    learnt = json.loads((Path(spec["out"]) / "prompt.json").read_text())
    assert learnt == {"name": "chat", "chat_template": CHATS[0]}

    run(spec_of(ours, tmp_path, instructions(4), adapter=spec["out"], **chat))
    with pytest.raises(PromptMismatch, match="chat_template"):
        run(spec_of(other, tmp_path, instructions(4), adapter=spec["out"], **chat))


def test_a_question_that_the_prompt_has_no_place_for_carries_its_reason(llama: Path, tmp_path: Path) -> None:
    spoken_to = instructions(3).with_columns(system=pl.lit("Be brief."))
    spec = spec_of(llama, tmp_path, spoken_to)

    outcome = run(spec)

    assert predictions(spec)["problem"].to_list() == ["system_has_no_place"] * 3
    assert outcome.metadata["system_has_no_place"] == 3
    assert not outcome.checks[0].passed
