"""Original checkpoints in the native form: the same logits, every weight accounted for, no code run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rc_pipeline.models import conversion
from rc_pipeline.models.base import BaseModelError
from rc_pipeline.models.conversion import ConversionError
from rc_pipeline.models.loading import load_model, load_tokenizer
from tests.models.upstream import (
    WRITERS,
    Upstream,
    artifact,
    change_weights,
    write_chatglm2,
    write_flan_t5,
    write_gpt2,
    write_minicpm,
    write_qwen2,
    write_vicuna,
)

IDS = torch.tensor([1, 40, 300, 60, 70, 7, 410, 33])


def change_config(upstream: Upstream, **fields: Any) -> None:
    path = upstream.folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_weights_that_are_missing_or_unknown_or_misshapen_are_named_together(tmp_path: Path) -> None:
    upstream = write_minicpm(tmp_path / "a")

    def change(state: dict[str, torch.Tensor]) -> None:
        state["model.layers.0.mlp.spare.weight"] = state.pop("model.layers.0.mlp.up_proj.weight")
        state["model.norm.weight"] = torch.ones(31)

    change_weights(upstream, change)

    with pytest.raises(ConversionError) as caught:
        artifact(upstream, tmp_path / "out")
    for said in ("missing: model.layers.0.mlp.up_proj", "unknown: model.layers.0.mlp.spare", "[31] instead of [32]"):
        assert said in str(caught.value)
    assert not list((tmp_path / "out").glob("*"))


def test_a_head_that_is_stored_and_differs_from_the_embeddings_it_is_tied_to_is_refused(tmp_path: Path) -> None:
    upstream = write_minicpm(tmp_path / "a")
    change_weights(upstream, lambda state: state.update({"lm_head.weight": state["lm_head.weight"] + 1}))

    with pytest.raises(ConversionError, match=r"tied to: lm_head\.weight"):
        artifact(upstream, tmp_path / "out")


def test_fused_queries_keys_and_values_of_too_many_rows_are_refused(tmp_path: Path) -> None:
    upstream = write_chatglm2(tmp_path / "a", shards=1)
    name = "transformer.encoder.layers.1.self_attention.query_key_value.weight"
    change_weights(upstream, lambda state: state.update({name: torch.ones(72, 32)}))

    with pytest.raises(ConversionError, match=r"v_proj\.weight \[24, 32\] instead of \[16, 32\]"):
        artifact(upstream, tmp_path / "out")


@pytest.mark.parametrize(
    ("write", "fields", "said"),
    [
        (write_minicpm, {"scale_emb": None, "dim_model_base": None}, "scale_emb, dim_model_base: missing"),
        (write_minicpm, {"num_experts": 8}, "num_experts: is 8"),
        (write_minicpm, {"rope_scaling": {"type": "linear"}}, "rope_scaling: is"),
        (write_chatglm2, {"multi_query_group_num": None}, "multi_query_group_num: missing"),
        (write_chatglm2, {"multi_query_attention": False}, "multi_query_attention: is False"),
        (write_chatglm2, {"post_layer_norm": False, "rmsnorm": False}, "post_layer_norm: is False"),
        (write_minicpm, {"model_type": "chatglm"}, "State `family: chatglm2`"),
    ],
)
def test_a_config_that_the_native_class_cannot_follow_is_refused_by_field(
    write: Callable[[Path], Upstream], fields: dict[str, Any], said: str, tmp_path: Path
) -> None:
    upstream = write(tmp_path / "a")
    change_config(upstream, **fields)

    with pytest.raises(BaseModelError) as caught:
        artifact(upstream, tmp_path / "out")
    assert said in str(caught.value)
    assert "config.json" in str(caught.value)


def test_a_folder_without_weights_and_tokenizer_names_both(tmp_path: Path) -> None:
    upstream = write_chatglm2(tmp_path / "a")
    for path in [*upstream.folder.glob("*.bin*"), upstream.folder / "tokenizer.model"]:
        path.unlink()

    with pytest.raises(BaseModelError) as caught:
        artifact(upstream, tmp_path / "out")
    assert ["pytorch_model.bin" in line or "tokenizer.model" in line for line in str(caught.value).splitlines()] == [
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (write_minicpm, {}),
        (write_minicpm, {"dtype": "bfloat16", "shards": 2}),
        (write_minicpm, {"tie_word_embeddings": False, "rope_theta": 10000.0, "num_key_value_heads": 4}),
        (write_chatglm2, {}),
        (write_chatglm2, {"dtype": "float16", "shards": 1}),
        (write_chatglm2, {"rope_ratio": 50, "multi_query_group_num": 1}),
    ],
)
def test_a_converted_model_has_the_logits_of_the_original_computation(
    write: Callable[..., Upstream], told: dict[str, Any], tmp_path: Path
) -> None:
    upstream = write(tmp_path / "a", **told)

    folder = artifact(upstream, tmp_path / "out")

    with torch.no_grad():
        ours = load_model(folder, family=upstream.family)(input_ids=IDS[None]).logits[0]
        theirs = upstream.original(IDS)
    assert theirs.std() > 0.05
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_weights_keep_the_precision_they_were_published_in(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    out = artifact(write_minicpm(tmp_path / "a", dtype="bfloat16"), tmp_path / "out")

    assert {tensor.dtype for tensor in load_file(out / "model-00001.safetensors").values()} == {torch.bfloat16}


def test_llama_with_pickled_weights_and_a_sentencepiece_tokenizer_is_written_natively(tmp_path: Path) -> None:
    upstream = write_vicuna(tmp_path / "a")

    folder = artifact(upstream, tmp_path / "out")

    with torch.no_grad():
        ours = load_model(folder, family="llama")(input_ids=IDS[None]).logits[0]
        torch.testing.assert_close(ours, upstream.original(IDS), atol=1e-5, rtol=0)
    assert load_tokenizer(folder)("Anna lives in Rome")["input_ids"][0] == 1


def test_gpt2_says_the_same_from_either_form_of_its_weights(tmp_path: Path) -> None:
    logits = []
    for pickled in (False, True):
        upstream = write_gpt2(tmp_path / f"a{pickled}", pickled=pickled)
        folder = artifact(upstream, tmp_path / f"out{pickled}")
        assert (folder == upstream.folder) is not pickled
        assert load_tokenizer(folder).eos_token == "</s>"
        with torch.no_grad():
            logits.append(load_model(folder, family="gpt2")(input_ids=IDS[None] % 330).logits)
    torch.testing.assert_close(*logits, atol=0, rtol=0)


def test_a_decoder_that_no_family_is_named_after_is_loaded_by_its_model_type(tmp_path: Path) -> None:
    upstream = write_qwen2(tmp_path / "a")

    folder = artifact(upstream, tmp_path / "out")

    with torch.no_grad():
        ours = load_model(folder, family="native")(input_ids=IDS[None] % 330).logits[0]
        torch.testing.assert_close(ours, upstream.original(IDS % 330), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("model_type", "said"),
    [
        ("minicpm", "State `family: minicpm`"),
        ("chatglm", "State `family: chatglm2`"),
        ("t5", "State `family: t5`"),
        ("bert", "no decoder of this type"),
        ("../evil", "no decoder of this type"),
        ("bloom", "takes no position_ids"),
    ],
)
def test_a_model_type_that_cannot_be_loaded_natively_is_refused(model_type: str, said: str, tmp_path: Path) -> None:
    upstream = write_qwen2(tmp_path / "a")
    change_config(upstream, model_type=model_type)

    with pytest.raises(BaseModelError) as caught:
        artifact(upstream, tmp_path / "out")
    assert said in str(caught.value)


@pytest.mark.parametrize("pickled", [False, True])
def test_flan_t5_loads_with_a_head_of_its_own_from_either_form(pickled: bool, tmp_path: Path) -> None:
    upstream = write_flan_t5(tmp_path / "a", pickled=pickled)

    folder = artifact(upstream, tmp_path / "out")
    model = load_model(folder, family="t5")

    assert (folder == upstream.folder) is not pickled
    assert load_tokenizer(folder)("Rome")["input_ids"][-1] == 1
    asked = {"input_ids": IDS[None] % 350, "decoder_input_ids": IDS[None, :3] % 350}
    with torch.no_grad():
        torch.testing.assert_close(model(**asked).logits, upstream.original(**asked).logits, atol=1e-6, rtol=0)
    assert (model.lm_head.weight - model.shared.weight).abs().max() > 1


def test_t5_s_head_is_tied_where_its_config_says_so(tmp_path: Path) -> None:
    upstream = write_flan_t5(tmp_path / "a", pickled=True)
    change_config(upstream, tie_word_embeddings=True)

    with pytest.raises(ConversionError, match=r"tied to: lm_head\.weight"):
        artifact(upstream, tmp_path / "out")


def test_large_weights_are_written_in_several_files_of_equal_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = write_chatglm2(tmp_path / "a")
    whole = artifact(upstream, tmp_path / "whole")
    monkeypatch.setattr(conversion, "SHARD_BYTES", 20_000)
    parts = artifact(upstream, tmp_path / "parts")

    assert len(list(whole.glob("*.safetensors"))) == 1
    assert len(list(parts.glob("*.safetensors"))) > 3
    with torch.no_grad():
        one, other = (load_model(folder, family="chatglm2")(input_ids=IDS[None]).logits for folder in (whole, parts))
    torch.testing.assert_close(one, other, atol=0, rtol=0)


@pytest.mark.parametrize("layout", WRITERS)
def test_no_code_of_a_checkpoint_is_run_or_kept(layout: str, tmp_path: Path) -> None:
    out = artifact(WRITERS[layout](tmp_path / "a"), tmp_path / "out")

    assert not list((tmp_path / "out").rglob("*.py"))
    assert out == tmp_path / "a" or "auto_map" not in (out / "config.json").read_text()


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path: Path) -> None:
    upstream = write_minicpm(tmp_path / "a")

    one, other = artifact(upstream, tmp_path / "one"), artifact(upstream, tmp_path / "other")

    assert {path.name: path.read_bytes() for path in one.iterdir()} == {
        path.name: path.read_bytes() for path in other.iterdir()
    }


def test_a_native_class_of_plain_transformers_loads_the_artifact(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    upstream = write_minicpm(tmp_path / "a")
    out = artifact(upstream, tmp_path / "out")
    shutil.rmtree(upstream.folder)

    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32)(input_ids=IDS[None]).logits[0]
    torch.testing.assert_close(logits, upstream.original(IDS), atol=1e-5, rtol=0)
