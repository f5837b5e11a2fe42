"""The shipped tiny model is small, loads natively, and looks up facts about unseen names."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM
from transformers import PreTrainedTokenizerFast as FastTokenizer

from rc_pipeline.corpora import sample_names
from rc_pipeline.models import pretraining

SHIPPED = Path(pretraining.__file__).with_name("rc_tiny")


@cache
def _tokenizer() -> FastTokenizer:
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED)
    assert isinstance(tokenizer, FastTokenizer)
    return tokenizer


@cache
def _model() -> LlamaForCausalLM:
    import torch

    model = AutoModelForCausalLM.from_pretrained(SHIPPED, dtype=torch.float32)
    assert isinstance(model, LlamaForCausalLM)
    return model


def test_shipped_weights_are_at_most_three_megabytes_and_need_no_pickle() -> None:
    assert (SHIPPED / "model.safetensors").stat().st_size <= 3_000_000
    assert not [*SHIPPED.glob("*.bin"), *SHIPPED.glob("*.pt"), *SHIPPED.glob("*.py")]


def test_shipped_weights_load_whole_and_finite() -> None:
    import torch

    model, report = AutoModelForCausalLM.from_pretrained(SHIPPED, dtype=torch.float32, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert all(bool(weight.isfinite().all()) for weight in model.parameters())


def test_special_tokens_agree_between_tokenizer_and_config() -> None:
    tokenizer, config = _tokenizer(), _model().config
    assert (tokenizer.pad_token, tokenizer.eos_token) == ("<pad>", "</s>")
    assert config.eos_token_id == tokenizer.eos_token_id
    assert config.pad_token_id == tokenizer.pad_token_id
    assert config.vocab_size == len(tokenizer)
    generation = json.loads((SHIPPED / "generation_config.json").read_text(encoding="utf-8"))
    assert generation["eos_token_id"] == tokenizer.eos_token_id


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_unicode_text_survives_the_tokenizer(text: str) -> None:
    # A special token spelt out in the text is that token, and decoding then spells it again.
    ids = _tokenizer()(text)["input_ids"]
    assert _tokenizer().decode(ids, clean_up_tokenization_spaces=False) == text


@pytest.mark.parametrize("pool", ["learn", "valid", "test"])
def test_every_name_is_two_tokens_wherever_it_stands(pool: sample_names.Pool) -> None:
    for name in (*sample_names.people(pool), *sample_names.places(pool)):
        for text in (name, f" {name}"):
            assert len(_tokenizer().tokenize(text)) == 2, text


def test_shipped_model_recalls_stated_facts_of_names_it_never_met() -> None:
    recall = pretraining.stated_fact_recall(_model(), _tokenizer(), seed=11, passages=60)
    assert recall > 0.95


def test_learning_rate_rises_at_the_start_of_each_course_and_ends_at_zero() -> None:
    rates = [pretraining.learning_rate(step, 1700) for step in range(1700)]
    near, far = rates[:900], rates[900:]
    for course in (near, far):
        top = course.index(max(course))
        assert top < 250
        assert course[: top + 1] == sorted(course[: top + 1])
        assert course[top:] == sorted(course[top:], reverse=True)
    assert near[-1] > 0.1 * max(near)
    assert far[-1] < 0.001 * max(far)


def test_rows_of_random_spans_come_first_and_never_cease() -> None:
    shares = [pretraining.span_share(step, 1000) for step in range(1000)]
    assert shares[0] == 1.0
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] > 0


def test_recipe_runs_from_nothing_to_a_model_that_loads(tmp_path: Path) -> None:
    reports: list[dict[str, float]] = []
    figures = pretraining.pretrain(tmp_path / "out", seed=1, steps=3, threads=1, on_progress=reports.append)
    assert set(figures) == {"loss", "recall"}
    assert [report["step"] for report in reports] == [1, 2, 3]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "generation_config.json",
    }
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert model.config.vocab_size == len(tokenizer)
