from __future__ import annotations

from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from rc_pipeline.models.loading import load_model
from rc_pipeline.prediction.choices import log_likelihoods
from rc_pipeline.prediction.generation import Ends, generate
from rc_pipeline.prediction.prefill import batches_by_length, neighbours
from rc_pipeline.prediction.sampling import Sampling

PAD, EOS = 0, 2
NEVER = Ends(())


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    random = Random(1)
    return [[1, *random.choices(range(3, 330), k=length)] for length in (30, 1, 17, 17, 5, 60)]


@pytest.fixture(params=["prompts read at once", "a few at a time"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "a few at a time":
        monkeypatch.setattr("rc_pipeline.prediction.prefill.CACHED_NUMBERS", 32 * 40)


def alone(model: Any, prompt: list[int], option: list[int]) -> float:
    """Return an option's log-probability by a pass of its own."""
    with torch.no_grad():
        if model.config.is_encoder_decoder:
            told = torch.tensor([[model.config.decoder_start_token_id, *option[:-1]]])
            logits = model(input_ids=torch.tensor([prompt]), decoder_input_ids=told).logits[0]
        else:
            logits = model(input_ids=torch.tensor([[*prompt, *option]])).logits[0, len(prompt) - 1 :]
    logs = torch.log_softmax(logits.float(), dim=-1)
    return sum(logs[i, token].item() for i, token in enumerate(option))


@pytest.mark.usefixtures("reading")
def test_option_scores_equal_separate_full_passes(family_base: tuple[str, Path], prompts: list[list[int]]) -> None:
    family, folder = family_base
    model = load_model(folder, family=family)
    random = Random(2)
    options = [
        [[*random.choices(range(3, 330), k=random.randint(0, 9)), EOS] for _ in range(count)]
        for count in (4, 2, 4, 1, 3, 4)
    ]

    found = log_likelihoods(model, prompts, options, PAD)

    expected = [[alone(model, prompt, option) for option in own] for prompt, own in zip(prompts, options, strict=True)]
    assert [len(own) for own in found] == [4, 2, 4, 1, 3, 4]
    assert list(chain(*found)) == pytest.approx(list(chain(*expected)), abs=1e-4)


def test_options_of_one_token_need_no_second_pass(llama: Path, prompts: list[list[int]]) -> None:
    model = load_model(llama, family="llama")

    found = log_likelihoods(model, prompts, [[[EOS], [7]]] * 6, PAD)

    assert found[0] == pytest.approx([alone(model, prompts[0], [EOS]), alone(model, prompts[0], [7])], abs=1e-4)


def test_few_logits_at_a_time_are_the_same_logits(
    llama: Path, prompts: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(llama, family="llama")
    options = [[[5, 6, 7, EOS], [8, EOS]]] * 6
    at_once = log_likelihoods(model, prompts, options, PAD)

    monkeypatch.setattr("rc_pipeline.prediction.choices.LOGITS", 330 * 7)

    assert list(chain(*log_likelihoods(model, prompts, options, PAD))) == pytest.approx(list(chain(*at_once)), abs=1e-4)


@pytest.mark.usefixtures("reading")
def test_batched_answers_equal_answers_one_by_one(family_base: tuple[str, Path], prompts: list[list[int]]) -> None:
    family, folder = family_base
    model = load_model(folder, family=family)
    # Ends that come up early in some answers and never in others.
    firsts = generate(model, prompts, max_new_tokens=6, ends=NEVER, pad_id=PAD)
    ends = Ends({firsts[0].ids[0], firsts[2].ids[2], firsts[4].ids[4]})

    together = generate(model, prompts, max_new_tokens=12, ends=ends, pad_id=PAD)

    one_by_one = [generate(model, [prompt], max_new_tokens=12, ends=ends, pad_id=PAD)[0] for prompt in prompts]
    assert [(one.ids, one.ended) for one in together] == [(one.ids, one.ended) for one in one_by_one]
    assert (together[0].ids, together[0].ended) == ([], True)
    assert all(one.ended == (len(one.ids) < 12) for one in together)


def test_an_answer_is_as_likely_as_a_pass_of_its_own_says(
    family_base: tuple[str, Path], prompts: list[list[int]]
) -> None:
    family, folder = family_base
    model = load_model(folder, family=family)
    end = generate(model, prompts, max_new_tokens=4, ends=NEVER, pad_id=PAD)[0].ids[3]

    answers = generate(model, prompts, max_new_tokens=8, ends=Ends({end}), pad_id=PAD)

    for prompt, answer in zip(prompts, answers, strict=True):
        said = [*answer.ids, end] if answer.ended else answer.ids
        assert answer.log_probability == pytest.approx(alone(model, prompt, said), abs=1e-4)


def test_answers_equal_those_of_transformers_generate(family_base: tuple[str, Path], prompts: list[list[int]]) -> None:
    family, folder = family_base
    model = load_model(folder, family=family)

    ours = generate(model, prompts, max_new_tokens=10, ends=Ends({EOS}), pad_id=PAD)

    for prompt, answer in zip(prompts, ours, strict=True):
        given = torch.tensor([prompt])
        theirs = model.generate(
            input_ids=given, attention_mask=torch.ones_like(given), max_new_tokens=10, do_sample=False
        )
        start = 1 if model.config.is_encoder_decoder else len(prompt)
        assert [token for token in theirs[0, start:].tolist() if token not in (EOS, PAD)] == [
            token for token in answer.ids if token != PAD
        ]


def test_a_row_can_be_ended_by_what_its_tokens_say(llama: Path, prompts: list[list[int]]) -> None:
    model = load_model(llama, family="llama")
    free = generate(model, prompts, max_new_tokens=8, ends=NEVER, pad_id=PAD)

    ended = generate(model, prompts, max_new_tokens=8, ends=Ends((), lambda row, ids: len(ids) == row + 1), pad_id=PAD)

    assert [one.ids for one in ended] == [one.ids[: row + 1] for row, one in enumerate(free)]
    assert all(one.ended for one in ended)


def test_batches_are_of_nearly_one_length_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rc_pipeline.prediction.prefill.BATCH_TOKENS", 100)
    lengths = [5, 60, 30, 5, 30, 200, 5]

    assert batches_by_length(lengths, 3) == [[5], [1], [2, 4, 0], [3, 6]]
    assert batches_by_length(lengths, 3, equal=True) == [[5], [1], [2, 4], [0, 3, 6]]


def test_runs_of_neighbours_are_bounded_with_their_padding() -> None:
    assert neighbours([9, 3, 3, 20, 1], 12) == [range(0, 1), range(1, 3), range(3, 4), range(4, 5)]


@pytest.mark.usefixtures("reading")
def test_a_prompt_that_is_asked_several_times_is_read_once(
    family_base: tuple[str, Path], prompts: list[list[int]]
) -> None:
    family, folder = family_base
    model = load_model(folder, family=family)
    told = {"max_new_tokens": 6, "ends": Ends({EOS}), "pad_id": PAD, "sampling": Sampling(0.9)}
    read = []
    model.get_input_embeddings().register_forward_hook(lambda _, given, __: read.append(given[0].shape))

    together = generate(model, [prompt for prompt in prompts for _ in range(3)], seeds=range(18), **told)  # type: ignore[arg-type]

    assert sum(rows for rows, places in read if places > 1) <= len(prompts)
    for at in (0, 4, 17):
        alone = generate(model, [prompts[at // 3]], seeds=[at], **told)  # type: ignore[arg-type]
        assert together[at].ids == alone[0].ids
