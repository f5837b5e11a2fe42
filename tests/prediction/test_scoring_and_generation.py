from __future__ import annotations

from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from rc_pipeline.models.loading import load_model
from rc_pipeline.prediction.choices import score_options
from rc_pipeline.prediction.generation import generate
from rc_pipeline.prediction.prefill import batches_by_length

PAD, EOS = 0, 2


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    random = Random(1)
    return [[1, *random.choices(range(3, 330), k=length)] for length in (30, 1, 17, 17, 5, 60)]


def alone(model: Any, prompt: list[int], option: list[int]) -> float:
    ids = torch.tensor([[*prompt, *option]])
    with torch.no_grad():
        logs = torch.log_softmax(model(input_ids=ids).logits[0].float(), dim=-1)
    start = len(prompt) - 1
    return sum(logs[start + i, token].item() for i, token in enumerate(option)) / len(option)


def test_option_scores_equal_separate_full_passes(family_base: tuple[str, Path], prompts: list[list[int]]) -> None:
    family, folder = family_base
    model = load_model(folder, family=family)
    random = Random(2)
    options = [
        [[*random.choices(range(3, 330), k=random.randint(0, 9)), EOS] for _ in range(count)]
        for count in (4, 2, 4, 1, 3, 4)
    ]

    scores = score_options(model, prompts, options, PAD)

    expected = [[alone(model, prompt, option) for option in own] for prompt, own in zip(prompts, options, strict=True)]
    assert [len(own) for own in scores] == [4, 2, 4, 1, 3, 4]
    assert list(chain(*scores)) == pytest.approx(list(chain(*expected)), abs=1e-4)


def test_options_of_one_token_need_no_second_pass(llama: Path, prompts: list[list[int]]) -> None:
    model = load_model(llama, family="llama")

    scores = score_options(model, prompts, [[[EOS], [7]]] * 6, PAD)

    assert scores[0] == pytest.approx([alone(model, prompts[0], [EOS]), alone(model, prompts[0], [7])], abs=1e-4)


def test_batched_answers_equal_answers_one_by_one(family_base: tuple[str, Path], prompts: list[list[int]]) -> None:
    family, folder = family_base
    model = load_model(folder, family=family)
    # Ends that come up early in some answers and never in others.
    firsts = generate(model, prompts, max_new_tokens=6, end_ids=[], pad_id=PAD)
    ends = {firsts[0][0][0], firsts[2][0][2], firsts[4][0][4]}

    together = generate(model, prompts, max_new_tokens=12, end_ids=ends, pad_id=PAD)

    one_by_one = [generate(model, [prompt], max_new_tokens=12, end_ids=ends, pad_id=PAD)[0] for prompt in prompts]
    assert together == one_by_one
    assert together[0] == ([], True)
    assert all(finished == (len(ids) < 12) for ids, finished in together)


def test_answers_equal_those_of_transformers_generate(family_base: tuple[str, Path], prompts: list[list[int]]) -> None:
    family, folder = family_base
    model = load_model(folder, family=family)

    ours = generate(model, prompts, max_new_tokens=10, end_ids=[EOS], pad_id=PAD)

    for prompt, (ids, _) in zip(prompts, ours, strict=True):
        given = torch.tensor([prompt])
        theirs = model.generate(
            input_ids=given, attention_mask=torch.ones_like(given), max_new_tokens=10, do_sample=False
        )
        assert [token for token in theirs[0, len(prompt) :].tolist() if token != EOS] == ids


def test_batches_are_of_nearly_one_length_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rc_pipeline.prediction.prefill.BATCH_TOKENS", 100)
    lengths = [5, 60, 30, 5, 30, 200, 5]

    assert batches_by_length(lengths, 3) == [[5], [1], [2, 4, 0], [3, 6]]
