from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import torch

from rc_pipeline.models.loading import load_model
from rc_pipeline.prediction.beams import search
from rc_pipeline.prediction.generation import Ends, generate

PAD, EOS = 0, 2


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    random = Random(3)
    return [[1, *random.choices(range(3, 330), k=length)] for length in (30, 1, 17, 5, 60)]


def test_one_beam_takes_the_likeliest_token(llama: Path, prompts: list[list[int]]) -> None:
    model = load_model(llama, family="llama")
    told = {"max_new_tokens": 8, "ends": Ends({EOS}), "pad_id": PAD}

    beams = search(model, prompts, beams=1, **told)  # type: ignore[arg-type]

    assert [one.ids for one in beams] == [one.ids for one in generate(model, prompts, **told)]  # type: ignore[arg-type]


@pytest.mark.parametrize("beams", [2, 5])
def test_beams_find_what_transformers_finds(
    family_base: tuple[str, Path], prompts: list[list[int]], beams: int
) -> None:
    family, folder = family_base
    model = load_model(folder, family=family)
    # Ends that some answers come to and others do not.
    ends = [EOS, *generate(model, prompts[:2], max_new_tokens=4, ends=Ends(()), pad_id=PAD)[0].ids[2:3]]

    ours = search(model, prompts, beams=beams, max_new_tokens=9, ends=Ends(set(ends)), pad_id=PAD)

    for prompt, answer in zip(prompts, ours, strict=True):
        given = torch.tensor([prompt])
        theirs = model.generate(
            input_ids=given, attention_mask=torch.ones_like(given), max_new_tokens=9, num_beams=beams,
            eos_token_id=ends, pad_token_id=PAD, do_sample=False,
        )  # fmt: skip
        said = theirs[0, 1 if model.config.is_encoder_decoder else len(prompt) :].tolist()
        assert [token for token in said if token not in (*ends, PAD)] == [t for t in answer.ids if t != PAD]


def test_more_beams_find_no_less_likely_answers(llama: Path, prompts: list[list[int]]) -> None:
    model = load_model(llama, family="llama")
    told = {"max_new_tokens": 6, "ends": Ends(()), "pad_id": PAD}

    few, many = (search(model, prompts, beams=beams, **told) for beams in (1, 8))  # type: ignore[arg-type]

    assert sum(one.log_probability for one in many) > sum(one.log_probability for one in few)


def test_an_answer_that_ends_at_once_is_an_answer(llama: Path) -> None:
    model = load_model(llama, family="llama")

    found = search(model, [[1, 5]], beams=3, max_new_tokens=4, ends=Ends(set(range(330))), pad_id=PAD)

    assert (found[0].ids, found[0].ended) == ([], True)
