from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from rc_pipeline import worker
from rc_pipeline.merging.weights import Merged, MergeError, open_weights
from tests.merging.tiny_runs import train_tiny
from tests.models.tiny_models import write_model

LAYER = "model.layers.0.self_attn.q_proj"


def held_in(base: Path, folder: Path, dtype: torch.dtype) -> Path:
    """Copy a checkpoint with its weights in another precision, and a config.json that still names the first."""
    folder.mkdir()
    for path in base.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    weights = {name: weight.to(dtype) for name, weight in load_file(base / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def merged(base: Path, spec: dict[str, Any], out: Path, dtype: str = "fp32", **options: Any) -> dict[str, torch.Tensor]:
    out.mkdir()
    files = Merged(open_weights(base, "llama", Path(spec["out"]))).write(out, dtype, **options)
    return {name: weight for file in files for name, weight in load_file(out / file).items()}


def parts(spec: dict[str, Any], layer: str = LAYER) -> dict[str, torch.Tensor]:
    weights = load_file(Path(spec["out"]) / "adapter_model.safetensors")
    start = f"base_model.model.{layer}."
    return {name.removeprefix(start): weight.double() for name, weight in weights.items() if name.startswith(start)}


def test_a_weight_that_has_no_number_in_half_precision_is_refused_by_name(
    llama: Path, tuned: dict[str, Any], tmp_path: Path
) -> None:
    base = held_in(llama, tmp_path / "large", torch.float32)
    weights = load_file(base / "model.safetensors")
    weights["model.norm.weight"][3] = 7e4
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(MergeError, match=r"model\.norm\.weight: a weight as large as 7e\+04 .* bf16 or fp32"):
        merged(base, tuned, tmp_path / "out", "fp16")


def test_a_merge_gives_signs_of_life(
    llama: Path, tuned: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(worker.HEARTBEAT, str(tmp_path / "heartbeat"))
    monkeypatch.setattr(worker, "SECONDS_BETWEEN_BEATS", 0)

    merged(llama, tuned, tmp_path / "out")

    assert (tmp_path / "heartbeat").exists()


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16, torch.float16])
def test_what_an_adapter_adds_is_computed_in_float32_and_rounded_once(
    llama: Path, tuned: dict[str, Any], tmp_path: Path, stored: torch.dtype
) -> None:
    base = held_in(llama, tmp_path / "base", stored)
    own = load_file(base / "model.safetensors")
    adapter = parts(tuned)
    exact = own[f"{LAYER}.weight"].double() + 2 * adapter["lora_B.weight"] @ adapter["lora_A.weight"]

    wide = merged(base, tuned, tmp_path / "fp32")
    narrow = merged(base, tuned, tmp_path / "bf16", "bf16")

    torch.testing.assert_close(wide[f"{LAYER}.weight"].double(), exact, atol=1e-6, rtol=1e-6)
    assert torch.equal(narrow[f"{LAYER}.weight"], wide[f"{LAYER}.weight"].bfloat16())
    assert {weight.dtype for weight in narrow.values()} == {torch.bfloat16}
    assert torch.equal(wide["model.norm.weight"], own["model.norm.weight"].float())


def test_high_ranks_are_scaled_by_the_root_of_the_rank(llama: Path, tmp_path: Path) -> None:
    spec = train_tiny(llama, "llama", tmp_path / "run", rank=16, alpha=8, rslora=True)
    adapter = parts(spec)
    delta = 8 / 16**0.5 * adapter["lora_B.weight"] @ adapter["lora_A.weight"]

    found = merged(llama, spec, tmp_path / "out")[f"{LAYER}.weight"]

    own = load_file(llama / "model.safetensors")[f"{LAYER}.weight"]
    torch.testing.assert_close(found.double(), own.double() + delta, atol=1e-6, rtol=1e-6)


def test_lengths_that_were_trained_apart_from_directions_are_the_merged_weights_lengths(
    llama: Path, tmp_path: Path
) -> None:
    spec = train_tiny(llama, "llama", tmp_path / "run", dora=True, learning_rate=5e-2)
    adapter = parts(spec)

    found = merged(llama, spec, tmp_path / "out")[f"{LAYER}.weight"].double()

    own = load_file(llama / "model.safetensors")[f"{LAYER}.weight"].double()
    direction = own + 2 * adapter["lora_B.weight"] @ adapter["lora_A.weight"]
    length = adapter["lora_magnitude_vector"]
    assert (length - own.norm(dim=1)).abs().max() > 1e-3
    torch.testing.assert_close(
        found, direction / direction.norm(dim=1)[:, None] * length[:, None], atol=1e-5, rtol=1e-5
    )


def test_tied_weights_are_written_once(llama: Path, tuned: dict[str, Any], tmp_path: Path) -> None:
    weights = merged(llama, tuned, tmp_path / "out")

    assert "model.embed_tokens.weight" in weights
    assert "lm_head.weight" not in weights


def test_a_head_with_an_adapter_is_no_longer_tied(llama: Path, tmp_path: Path) -> None:
    spec = train_tiny(llama, "llama", tmp_path / "run", targets=["lm_head", "q_proj"])
    model = Merged(open_weights(llama, "llama", Path(spec["out"])))
    (tmp_path / "out").mkdir()
    weights = load_file(tmp_path / "out" / model.write(tmp_path / "out", "fp32")[0])

    own = load_file(llama / "model.safetensors")["model.embed_tokens.weight"]
    assert model.unties
    assert torch.equal(weights["model.embed_tokens.weight"], own)
    assert (weights["lm_head.weight"] - own).abs().max() > 0


def test_a_base_on_disk_is_never_changed(llama: Path, tuned: dict[str, Any], tmp_path: Path) -> None:
    before = (llama / "model.safetensors").read_bytes()
    model = open_weights(llama, "llama", Path(tuned["out"]))
    first = Merged(model)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        first.write(tmp_path / name, "fp32")

    assert (llama / "model.safetensors").read_bytes() == before
    first_bytes, second_bytes = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second"))
    assert first_bytes == second_bytes


def test_large_models_are_written_in_shards_that_an_index_names(
    llama: Path, tuned: dict[str, Any], tmp_path: Path
) -> None:
    whole = merged(llama, tuned, tmp_path / "whole")
    parted = merged(llama, tuned, tmp_path / "parted", shard_bytes=30_000)

    files = sorted(path.name for path in (tmp_path / "parted").glob("*.safetensors"))
    index = json.loads((tmp_path / "parted" / "model.safetensors.index.json").read_text())
    assert len(files) > 2
    assert files[0] == f"model-00001-of-{len(files):05d}.safetensors"
    assert set(index["weight_map"]) == set(whole)
    assert index["metadata"]["total_size"] == sum(weight.nbytes for weight in whole.values())
    assert all(torch.equal(whole[name], parted[name]) for name in whole)
    assert max((tmp_path / "parted" / name).stat().st_size for name in files) < 50_000


def test_fully_trained_weights_are_published_as_they_were_trained(tmp_path: Path) -> None:
    base = held_in(write_model(tmp_path / "wide"), tmp_path / "base", torch.float16)
    config = json.loads((base / "config.json").read_text()) | {"dtype": "float16"}
    (base / "config.json").write_text(json.dumps(config))
    spec = train_tiny(base, "llama", tmp_path / "run", method="full", learning_rate=1e-4)

    weights = merged(base, spec, tmp_path / "out")

    trained = load_file(Path(spec["out"]) / "model.safetensors")
    assert trained[f"{LAYER}.weight"].dtype == torch.float32
    assert torch.equal(weights[f"{LAYER}.weight"], trained[f"{LAYER}.weight"])
