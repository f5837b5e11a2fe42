from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import polars as pl
import torch

from rc_pipeline.models.loading import load_model
from rc_pipeline.prediction.generation import Ends, generate
from rc_pipeline.prediction.sampling import GREEDY, Sampling, next_tokens
from tests.models.tiny_models import instructions
from tests.prediction.test_run import predictions, run, spec_of

LOGITS = torch.tensor([[0.0, 2.0, 1.0, -5.0]])


def drawn(sampling: Sampling, count: int = 2000) -> Counter[int]:
    chance = [Random(seed) for seed in range(count)]
    return Counter(next_tokens(LOGITS.expand(count, -1), sampling, chance).tolist())


def test_without_a_temperature_the_likeliest_is_taken() -> None:
    assert next_tokens(LOGITS, GREEDY, []).tolist() == [1]


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    counts, expected = drawn(Sampling(1.0)), torch.softmax(LOGITS[0], dim=-1)
    assert all(abs(counts[token] / 2000 - float(expected[token])) < 0.04 for token in range(4))
    colder = drawn(Sampling(0.3))
    assert colder[1] > counts[1]


def test_top_p_leaves_out_what_the_likeliest_make_up_without() -> None:
    assert set(drawn(Sampling(1.0, 0.6))) == {1}
    assert set(drawn(Sampling(1.0, 0.7))) == {1, 2}


def test_a_sample_does_not_depend_on_the_batch_that_it_is_drawn_in(llama: Path) -> None:
    model = load_model(llama, family="llama")
    prompts = [[1, 5, 9, 20 + n] for n in range(6)]

    def drawn_answers(prompts: list[list[int]], seeds: list[int]) -> list[list[int]]:
        kept = {"max_new_tokens": 8, "ends": Ends({2}), "pad_id": 0, "sampling": Sampling(0.9, 0.95)}
        return [answer.ids for answer in generate(model, prompts, seeds=seeds, **kept)]  # type: ignore[arg-type]

    together = drawn_answers(prompts, list(range(6)))
    assert together == [drawn_answers([prompt], [n])[0] for n, prompt in enumerate(prompts)]
    assert together != drawn_answers(prompts, list(range(6, 12)))


def test_samples_vote_and_more_of_them_ask_only_for_the_new_ones(llama: Path, tmp_path: Path) -> None:
    frame = instructions(5)
    answer = {"max_new_tokens": 4, "batch_size": 8, "max_tokens": None, "temperature": 0.8, "top_p": 1.0, "samples": 3}
    first = spec_of(llama, tmp_path, frame, answer=answer, seed=7)
    assert run(first).metadata["computed_rows"] == 15
    found = predictions(first)
    assert found["samples"].to_list() == [3] * 5
    assert found["agreement"].is_between(0.3, 1.0).all()
    assert run(spec_of(llama, tmp_path, frame, answer=answer | {"samples": 5}, seed=7)).metadata["computed_rows"] == 10
    assert run(spec_of(llama, tmp_path, frame, answer=answer, seed=8)).metadata["computed_rows"] == 15


def test_an_answer_without_its_mark_is_empty_and_says_why(llama: Path, tmp_path: Path) -> None:
    spec = spec_of(llama, tmp_path, instructions(3).with_columns(answer_after=pl.lit("Answer:")))
    run(spec)
    found = predictions(spec)
    assert found["answer"].to_list() == [""] * 3
    assert found["problem"].to_list() == ["no_answer_mark"] * 3
    assert found["written"].str.len_chars().min() > 0
