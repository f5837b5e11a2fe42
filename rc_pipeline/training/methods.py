"""What is trained of a base model: matrices beside its weights, something in front of its input, or all of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rc_pipeline.models.loading import load_model, quiet_peft
from rc_pipeline.training.packed_attention import keep_rows_apart


class TuneError(ValueError):
    """Tuning settings that the base model cannot follow."""


# The bits that a method holds the base model in.
BITS = {"qlora": 4, "lora_8bit": 8}


def load_base(base: Mapping[str, Any], tune: Mapping[str, Any], *, device: str | None = None) -> Any:
    """Load a base model in the precision that its method trains in, on the best device if none is named."""
    # Steps of the optimiser are too small for the eight bits of a bfloat16 weight.
    precise = tune["method"] == "full" or tune.get("precision") == "fp32"
    dtype = "float32" if precise else "bfloat16" if tune.get("precision") == "bf16" else "auto"
    bits = BITS.get(tune["method"])
    model = load_model(Path(base["folder"]), family=base["family"], dtype=dtype, bits=bits, device=device)
    if tune.get("packing"):
        keep_rows_apart(model)
    return model


def virtual_tokens(tune: Mapping[str, Any]) -> int:
    """Return how many positions the method puts in front of every example."""
    return int(tune["virtual_tokens"]) if tune["method"] in {"prefix", "prompt"} else 0


def add_weights(model: Any, tune: Mapping[str, Any], *, seed: int) -> Any:
    """Make a base model trainable by a method; what is new in it is drawn from the seed, and the rest is frozen."""
    import torch
    from peft import get_peft_model

    torch.manual_seed(seed)
    if tune["method"] == "full":
        return model.requires_grad_(True)
    try:
        with quiet_peft():
            return get_peft_model(model, _config(model, tune))
    except ValueError as error:
        names = {name.rsplit(".", 1)[-1] for name, part in model.named_modules() if _is_product(part)}
        known = ", ".join(sorted(names - {"lm_head"}))
        raise TuneError(
            f"tune.targets: {tune['targets']!r} does not fit this model ({error}). It has: {known}."
        ) from error


def _config(model: Any, tune: Mapping[str, Any]) -> Any:
    from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig

    task = "SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM"
    if tune["method"] == "prefix":
        return PrefixTuningConfig(task_type=task, num_virtual_tokens=tune["virtual_tokens"], **_heads(model.config))
    if tune["method"] == "prompt":
        # Real embeddings are a far better start than noise, which may be hundreds of times as long as they are.
        # PEFT would train as many for a decoder, and never use them.
        return PromptTuningConfig(
            task_type=task,
            num_virtual_tokens=tune["virtual_tokens"],
            prompt_tuning_init="SAMPLE_VOCAB",
            num_transformer_submodules=1,
        )
    targets = tune["targets"]
    return LoraConfig(
        task_type=task,
        r=tune["rank"],
        lora_alpha=tune["alpha"] if tune.get("alpha") is not None else 2 * tune["rank"],
        lora_dropout=tune["dropout"],
        target_modules=targets if isinstance(targets, str) else sorted(targets),
        # GPT-2 keeps its weights transposed; peft would find out and warn.
        fan_in_fan_out=model.config.model_type == "gpt2",
        use_rslora=tune.get("rslora", False),
        use_dora=tune.get("dora", False),
    )


def _heads(config: Any) -> dict[str, Any]:
    """Return the size of a decoder's keys where PEFT would guess: T5's heads together need not be as wide as it."""
    if not config.is_encoder_decoder:
        return {}
    heads = config.num_attention_heads
    return {"num_attention_heads": heads, "token_dim": heads * config.d_kv, "num_layers": config.num_decoder_layers}


def _is_product(part: Any) -> bool:
    return type(part).__name__ in {"Linear", "Conv1D", "Linear4bit", "Linear8bitLt"}
