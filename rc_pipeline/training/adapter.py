"""Trained weights as files: the same bytes for the same weights, and whether they hold when read back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.outcome import Check
from rc_pipeline.training.parallel import own_part

if TYPE_CHECKING:
    import torch

    from rc_pipeline.prompting.encoding import Encoded

LOGITS_TOLERANCE = 1e-4
PROBE_TOKENS = 64
# The settings that decide what an adapter computes; PEFT fills in the rest, whose names change with its version.
SETTINGS = (
    "bias",
    "fan_in_fan_out",
    "init_lora_weights",
    "lora_alpha",
    "lora_dropout",
    "num_attention_heads",
    "num_layers",
    "num_transformer_submodules",
    "num_virtual_tokens",
    "peft_type",
    "prefix_projection",
    "r",
    "target_modules",
    "task_type",
    "token_dim",
    "use_dora",
    "use_rslora",
)


def save_weights(
    model: Any, out: Path, base: Mapping[str, Any], trained: Mapping[str, torch.Tensor] | None = None
) -> None:
    """Write an adapter in PEFT's format, or a whole model as transformers loads it, without versions or paths.

    `trained` are the weights by their names in the model, where it does not hold them whole.
    """
    if hasattr(model, "peft_config"):
        _save_adapter(model, out, str(base.get("name", base["family"])), trained)
    else:
        _save_model(dict(model.named_parameters()) if trained is None else trained, out, Path(base["folder"]))


def probe_logits(model: Any, probe: Encoded) -> torch.Tensor:
    """Return what a model says about the end of one example."""
    import torch

    read = probe.ids[: probe.prompt_tokens] if model.config.is_encoder_decoder else probe.ids
    ids = torch.tensor([read[-PROBE_TOKENS:]], device=model.device)
    said = ids
    options: dict[str, Any] = {"input_ids": ids}
    if model.config.is_encoder_decoder:
        told = [model.config.decoder_start_token_id, *probe.ids[probe.prompt_tokens : -1]]
        options["decoder_input_ids"] = said = torch.tensor([told], device=model.device)
    with torch.no_grad():
        logits: torch.Tensor = model(**options, use_cache=False).logits
    # Tokens in front of the input have logits as well.
    return logits[:, -said.shape[1] :].float()


def check_weights(
    model: Any, out: Path, base: Mapping[str, Any], probe: Encoded, untrained: torch.Tensor
) -> list[Check]:
    """Load what was written and compare what it says about one example with the trained model and the untrained."""
    trained = probe_logits(model, probe)
    return _compared(untrained, trained, probe_logits(_reloaded(model, out, base), probe))


def check_spread_weights(
    model: Any, out: Path, weights: Mapping[str, torch.Tensor], probe: Encoded, untrained: torch.Tensor
) -> list[Check]:
    """Check as `check_weights` does where a second model has no place: what was written goes back into the first."""
    import torch
    from safetensors import safe_open

    trained = probe_logits(model, probe)
    model.reshard()
    names = {name: name for name in weights}
    if hasattr(model, "peft_config"):
        names = {name: stored for stored, name in _stored(model, names).items()}
    file = out / ("adapter_model.safetensors" if hasattr(model, "peft_config") else "model.safetensors")
    with safe_open(file, framework="pt") as stored, torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(own_part(stored.get_tensor(names[name]), weight))
    return _compared(untrained, trained, probe_logits(model, probe))


def _compared(untrained: torch.Tensor, trained: torch.Tensor, reloaded: torch.Tensor) -> list[Check]:
    changed = (trained - untrained).abs().max().item()
    drift = (reloaded - trained).abs().max().item()
    return [
        Check(
            "adapter_changes_the_model",
            passed=changed > 0,
            description="The adapter's logits differ from the base model's.",
            metadata={"largest_difference": round(changed, 6)},
        ),
        Check(
            "reloaded_adapter_equals_trained",
            passed=drift <= LOGITS_TOLERANCE,
            description=f"The written adapter gives the trained one's logits within {LOGITS_TOLERANCE}.",
            metadata={"largest_difference": drift},
        ),
    ]


def _stored(model: Any, weights: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return an adapter's weights, or what is given in their place, by the names they have in PEFT's file."""
    from peft import get_peft_model_state_dict

    # PEFT would otherwise look for the base model's files to compare vocabularies.
    named: dict[str, Any] = get_peft_model_state_dict(model, state_dict=weights, save_embedding_layers=False)
    return named


def _save_adapter(model: Any, out: Path, base_name: str, trained: Mapping[str, torch.Tensor] | None) -> None:
    import torch
    from safetensors.torch import save

    weights = _stored(model, trained)
    tensors = {name: weight.detach().to("cpu", torch.float32).contiguous() for name, weight in sorted(weights.items())}
    (out / "adapter_model.safetensors").write_bytes(save(tensors, metadata={"format": "pt"}))
    every = model.peft_config["default"].to_dict()
    settings = {key: every[key] for key in SETTINGS if key in every}
    settings |= {"base_model_name_or_path": base_name, "inference_mode": True}
    if "target_modules" in settings:
        settings["target_modules"] = sorted(settings["target_modules"])
    text = json.dumps(settings, indent=2, sort_keys=True, ensure_ascii=False)
    (out / "adapter_config.json").write_text(text + "\n", encoding="utf-8")


def _save_model(weights: Mapping[str, torch.Tensor], out: Path, base: Path) -> None:
    from safetensors.torch import save_file

    # A tied weight is named once among the parameters, as in the files that transformers writes.
    tensors = {name: weight.detach().contiguous() for name, weight in sorted(weights.items())}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    shutil.copyfile(base / "config.json", out / "config.json")


def _reloaded(model: Any, out: Path, base: Mapping[str, Any]) -> Any:
    if not hasattr(model, "peft_config"):
        from rc_pipeline.models.loading import load_model

        return load_model(out, family=base["family"], dtype="float32")
    from peft import PeftConfig
    from peft.utils import set_peft_model_state_dict
    from safetensors.torch import load_file

    config = PeftConfig.from_pretrained(str(out))
    config.inference_mode = False
    model.add_adapter("reloaded", config)
    set_peft_model_state_dict(model, load_file(out / "adapter_model.safetensors"), adapter_name="reloaded")
    model.set_adapter("reloaded")
    # What has just been added drops some of its inputs.
    return model.eval()
