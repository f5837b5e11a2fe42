"""LoRA on a base model: its settings, its files with the same bytes for the same weights, and whether they hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.outcome import Check
from rc_pipeline.models.loading import quiet_peft

if TYPE_CHECKING:
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
    "peft_type",
    "r",
    "target_modules",
    "task_type",
    "use_dora",
    "use_rslora",
)


class TuneError(ValueError):
    """Tuning settings that the base model cannot follow."""


def add_adapter(model: Any, tune: Mapping[str, Any], *, seed: int) -> Any:
    """Wrap a base model in a fresh LoRA adapter, drawn from the seed; the base is frozen."""
    import torch
    from peft import LoraConfig, get_peft_model

    targets = tune["targets"]
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=tune["rank"],
        lora_alpha=tune["alpha"] if tune.get("alpha") is not None else 2 * tune["rank"],
        lora_dropout=tune["dropout"],
        target_modules=targets if isinstance(targets, str) else sorted(targets),
        # GPT-2 keeps its weights transposed; peft would find out and warn.
        fan_in_fan_out=model.config.model_type == "gpt2",
    )
    torch.manual_seed(seed)
    try:
        with quiet_peft():
            return get_peft_model(model, config)
    except ValueError as error:
        names = {name.rsplit(".", 1)[-1] for name, part in model.named_modules() if _is_product(part)}
        known = ", ".join(sorted(names - {"lm_head"}))
        raise TuneError(f"tune.targets: {targets!r} does not fit this model ({error}). It has: {known}.") from error


def save_adapter(model: Any, out: Path, *, base_name: str) -> None:
    """Write the adapter in PEFT's format, without versions, paths or accidents of order."""
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import save

    # PEFT would otherwise look for the base model's files to compare vocabularies.
    weights = get_peft_model_state_dict(model, save_embedding_layers=False)
    tensors = {name: weight.detach().to("cpu", torch.float32).contiguous() for name, weight in sorted(weights.items())}
    (out / "adapter_model.safetensors").write_bytes(save(tensors, metadata={"format": "pt"}))
    every = model.peft_config["default"].to_dict()
    settings = {key: every[key] for key in SETTINGS}
    settings |= {"base_model_name_or_path": base_name, "inference_mode": True}
    settings["target_modules"] = sorted(settings["target_modules"])
    text = json.dumps(settings, indent=2, sort_keys=True, ensure_ascii=False)
    (out / "adapter_config.json").write_text(text + "\n", encoding="utf-8")


def check_adapter(model: Any, out: Path, probe: Encoded) -> list[Check]:
    """Load the written adapter beside the trained one and compare what they say about one example."""
    from peft.utils import set_peft_model_state_dict
    from safetensors.torch import load_file

    trained = _probe_logits(model, probe)
    with model.disable_adapter():
        base = _probe_logits(model, probe)
    changed = (trained - base).abs().max().item()
    written = load_file(out / "adapter_model.safetensors")
    model.add_adapter("reloaded", _read_config(out))
    set_peft_model_state_dict(model, written, adapter_name="reloaded")
    model.set_adapter("reloaded")
    drift = (_probe_logits(model, probe) - trained).abs().max().item()
    model.set_adapter("default")
    model.delete_adapter("reloaded")
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


def _probe_logits(model: Any, probe: Encoded) -> Any:
    import torch

    ids = torch.tensor([probe.ids[-PROBE_TOKENS:]], device=model.device)
    with torch.no_grad():
        return model(input_ids=ids, use_cache=False).logits.float()


def _read_config(out: Path) -> Any:
    from peft import PeftConfig

    config = PeftConfig.from_pretrained(str(out))
    config.inference_mode = False
    return config


def _is_product(part: Any) -> bool:
    return type(part).__name__ in {"Linear", "Conv1D", "Linear4bit"}
