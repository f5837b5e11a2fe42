from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rc_pipeline.prompting.encoding import Encoded
from rc_pipeline.training.checkpoints import Checkpoints
from rc_pipeline.training.forecast import base_bytes, forecast, trained_weights
from rc_pipeline.training.loop import Schedule, Trainer
from rc_pipeline.training.methods import add_weights, load_base
from rc_pipeline.training.objective import Objective
from rc_pipeline.training.shapes import read_shape
from tests.training.configs import LLAMA2_7B_CONFIG, MINICPM_CONFIG
from tests.training.peak import Peak

LORA: dict[str, Any] = {"method": "lora", "rank": 8, "alpha": None, "dropout": 0.0, "targets": "all-linear"}
METHODS: dict[str, dict[str, Any]] = {
    "lora": {},
    "recomputed": {"gradient_checkpointing": True},
    "dora": {"dora": True},
    "full": {"method": "full"},
    "qlora": {"method": "qlora"},
    "lora_8bit": {"method": "lora_8bit"},
    "prefix": {"method": "prefix", "virtual_tokens": 20},
    "prompt": {"method": "prompt", "virtual_tokens": 20},
}
ROWS, TOKENS, LABELS = 3, 160, 12


@pytest.fixture(scope="module", params=["llama", "granite", "glm", "gpt2", "t5"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, dict[str, Any]]:
    """Models in which activations weigh about as much as weights, as in real ones."""
    import transformers as t

    sizes = {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "vocab_size": 2000}
    gated = sizes | {"intermediate_size": 688, "num_key_value_heads": 2, "head_dim": 64, "pad_token_id": 0}
    made = {
        "llama": lambda: t.LlamaForCausalLM(t.LlamaConfig(**gated)),
        "granite": lambda: t.GraniteForCausalLM(t.GraniteConfig(**gated, tie_word_embeddings=True)),
        "glm": lambda: t.GlmForCausalLM(t.GlmConfig(**gated, attention_bias=True)),
        "gpt2": lambda: t.GPT2LMHeadModel(t.GPT2Config(**sizes)),
        "t5": lambda: t.T5ForConditionalGeneration(
            t.T5Config(d_model=256, d_kv=64, d_ff=512, num_layers=4, num_heads=4, vocab_size=2000,
                       feed_forward_proj="gated-gelu", decoder_start_token_id=0)
        ),
    }  # fmt: skip
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(0)
    whole = made[request.param]()
    whole.save_pretrained(folder)
    return request.param, folder, whole.config.to_dict()


def measured(family: str, folder: Path, tune: dict[str, Any], *, bf16: bool, scratch: Path) -> tuple[int, Any]:
    """Return the most bytes that two steps hold, and the model."""
    from rc_pipeline.training.encoder_decoder import AnswerObjective

    tune = tune | {"precision": "bf16" if bf16 else "fp32"}
    base = load_base({"folder": str(folder), "family": family}, tune)
    if tune.get("gradient_checkpointing"):
        base.activation_checkpointing_enable()
    trained = add_weights(base, tune, seed=0)
    rows = [Encoded([5] * TOKENS, masked=TOKENS - LABELS, prompt_tokens=TOKENS - LABELS) for _ in range(ROWS)]
    objective = (AnswerObjective if family == "t5" else Objective)(
        0, bf16=bf16, tokens_in_front=20 if tune["method"] == "prompt" else 0
    )
    trainer = Trainer(
        trained, objective, rows, [list(range(ROWS))] * 2, Schedule(2, 1e-3, 0.0), 0, 0.0, 1.0,
        Checkpoints(scratch, "forecast"), micro_batch_tokens=10 * ROWS * TOKENS,
    )  # fmt: skip
    trained.train()
    from peft.helpers import disable_input_dtype_casting

    with disable_input_dtype_casting(trained, active=bf16), Peak([*trained.parameters(), *trained.buffers()]) as peak:
        for step in range(2):
            trainer._step(step, print)
    return peak.most, trained


@pytest.mark.parametrize("method", METHODS)
def test_what_a_step_takes_is_forecast_within_a_quarter(
    model: tuple[str, Path, dict[str, Any]], method: str, tmp_path: Path
) -> None:
    family, folder, config = model
    tune = LORA | METHODS[method]
    for bf16 in (True, False):
        found, trained = measured(family, folder, tune, bf16=bf16, scratch=tmp_path)
        shape = read_shape(config)
        told = forecast(
            shape, tune, tokens=ROWS * TOKENS, labels=ROWS * LABELS, row_tokens=TOKENS, bf16=bf16, overhead=0
        )

        assert told.total == pytest.approx(found, rel=0.25), (bf16, told)
        counted = sum(weight.numel() for weight in trained.parameters() if weight.requires_grad)
        assert trained_weights(shape, tune) == pytest.approx(counted, rel=0.02)


def test_the_two_named_cases_of_a_small_gpu_fit() -> None:
    minicpm = forecast(read_shape(MINICPM_CONFIG), LORA, tokens=2048, labels=128, checkpointing=True)
    llama = forecast(
        read_shape(LLAMA2_7B_CONFIG), LORA | {"method": "qlora"}, tokens=2048, labels=128, checkpointing=True
    )

    assert minicpm.total < 10e9
    assert llama.total < 12e9


def test_four_bits_take_their_scales_along_and_leave_embeddings_whole() -> None:
    shape = read_shape(LLAMA2_7B_CONFIG)

    assert base_bytes(shape, {"method": "qlora"}, bf16=True) == pytest.approx(
        shape.layer_weights * 4.127 / 8 + shape.other_weights * 2, rel=1e-4
    )


def test_spreading_divides_weights_and_states_and_leaves_activations() -> None:
    shape = read_shape(LLAMA2_7B_CONFIG)
    alone, spread = (
        forecast(shape, {"method": "full"}, tokens=2048, labels=128, checkpointing=True, shards=shards)
        for shards in (1, 8)
    )

    assert spread.trained == pytest.approx(alone.trained / 8, rel=1e-6)
    assert spread.activations == alone.activations
    assert spread.weights < alone.weights / 4


@pytest.mark.parametrize(
    ("targets", "weights"),
    [(["q_proj", "v_proj"], 2 * 40 * 8 * 2 * 2304), (r".*\.(q|v)_proj", 2 * 40 * 8 * 2 * 2304), ("nothing", 0)],
)
def test_only_the_targets_are_trained(targets: str | list[str], weights: int) -> None:
    assert trained_weights(read_shape(MINICPM_CONFIG), LORA | {"targets": targets}) == weights


def test_an_early_stop_keeps_the_best_weights_too() -> None:
    shape = read_shape(MINICPM_CONFIG)
    plain, patient = (forecast(shape, LORA | more, tokens=1, labels=1) for more in ({}, {"patience": 2}))

    assert patient.trained - plain.trained == 4 * trained_weights(shape, LORA)
