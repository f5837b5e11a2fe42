from __future__ import annotations

from typing import Any

import pytest

from rc_pipeline.training.shapes import ShapeUnknown, read_shape
from tests.training.configs import (
    CHATGLM2_CONFIG,
    FLAN_T5_BASE_CONFIG,
    GPT2_CONFIG,
    LLAMA2_7B_CONFIG,
    MINICPM_CONFIG,
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"num_hidden_layers": None}, "none of num_hidden_layers, n_layer, num_layers"),
        ({"hidden_size": "2304"}, "hidden_size '2304' is no size"),
        ({"vocab_size": 0}, "vocab_size 0 is no size"),
        ({"num_attention_heads": True}, "num_attention_heads True is no size"),
        ({"num_local_experts": 8}, "num_local_experts 8.*mixture of experts"),
    ],
)
def test_a_config_that_tells_no_sizes_names_the_field_and_its_value(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ShapeUnknown, match=said):
        read_shape(MINICPM_CONFIG | change)


@pytest.mark.parametrize(
    ("config", "weights"),
    [
        (MINICPM_CONFIG, 2_724_880_896),
        (LLAMA2_7B_CONFIG, 6_738_415_616),
        (CHATGLM2_CONFIG, 6_243_584_000),
        (GPT2_CONFIG, 124_439_808),
        (FLAN_T5_BASE_CONFIG, 247_577_856),
    ],
    ids=lambda each: each["model_type"] if isinstance(each, dict) else "",
)
def test_the_weights_of_the_missions_models_are_those_that_are_published(config: dict[str, Any], weights: int) -> None:
    shape = read_shape(config)

    # Biases are left out.
    assert shape.layer_weights + shape.other_weights == pytest.approx(weights, rel=1e-3)


@pytest.mark.parametrize("kind", ["Llama", "Qwen2", "Mistral", "Granite", "Glm", "GPT2", "Olmo2"])
def test_products_and_weights_are_those_of_the_class(kind: str) -> None:
    import torch
    import transformers

    config = getattr(transformers, f"{kind}Config")(
        hidden_size=64, num_hidden_layers=3, num_attention_heads=4, vocab_size=200, pad_token_id=0,
        **({} if kind == "GPT2" else {"intermediate_size": 96, "num_key_value_heads": 2, "head_dim": 16}),
    )  # fmt: skip
    name = "GPT2LMHeadModel" if kind == "GPT2" else f"{kind}ForCausalLM"
    with torch.device("meta"):
        model = getattr(transformers, name)(config)
    shape = read_shape(config.to_dict())

    # The head is no product of a layer, and GPT-2's are held transposed.
    products = {path: part.weight for path, part in model.named_modules() if path.startswith(shape.prefix)
                and getattr(part, "weight", None) is not None and part.weight.ndim == 2}  # fmt: skip
    assert {f"{shape.prefix}.{one.path}" for one in shape.products} == set(products)
    sizes = {path: weight.numel() for path, weight in products.items()}
    assert {f"{shape.prefix}.{one.path}": one.inputs * one.outputs for one in shape.products} == sizes
    counted = sum(weight.numel() for weight in model.parameters())
    assert shape.layer_weights + shape.other_weights == pytest.approx(counted, rel=0.02)


def test_both_stacks_of_an_encoder_decoder_count() -> None:
    shape = read_shape(FLAN_T5_BASE_CONFIG | {"num_decoder_layers": 6})

    assert {(one.path, one.count) for one in shape.products if one.path.endswith((".q", ".wo"))} == {
        ("SelfAttention.q", 18), ("EncDecAttention.q", 6), ("DenseReluDense.wo", 18),
    }  # fmt: skip
