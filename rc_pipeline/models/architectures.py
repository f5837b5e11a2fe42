"""The classes of transformers that models are loaded as, each native: never code that came with a checkpoint."""

from __future__ import annotations

import importlib
from inspect import signature
from typing import Any

from rc_pipeline.models.families import NATIVE

# The classes by module: the lazy `transformers` and its Auto classes import every model's configuration.
_GLM = ("transformers.models.glm.modeling_glm", "GlmForCausalLM")
_GRANITE = ("transformers.models.granite.modeling_granite", "GraniteForCausalLM")
ARCHITECTURES = {
    "llama": ("transformers.models.llama.modeling_llama", "LlamaForCausalLM"),
    "granite": _GRANITE,
    "gpt2": ("transformers.models.gpt2.modeling_gpt2", "GPT2LMHeadModel"),
    "glm": _GLM,
    "t5": ("transformers.models.t5.modeling_t5", "T5ForConditionalGeneration"),
    # Their base model artifacts hold the native form.
    "chatglm2": _GLM,
    "minicpm": _GRANITE,
}


class ModelLoadError(ValueError):
    """A model that cannot be loaded; the message says what to do."""


def architecture(family: str, model_type: str = "") -> Any:
    """Return the class of a family; that of the native family is found by the model_type of config.json."""
    if family == NATIVE:
        return _native_architecture(model_type)
    if family not in ARCHITECTURES:
        known = ", ".join(sorted([*ARCHITECTURES, NATIVE]))
        raise ModelLoadError(f"family {family!r} cannot be loaded; known families: {known}.")
    module, name = ARCHITECTURES[family]
    return getattr(importlib.import_module(module), name)


def _native_architecture(model_type: str) -> Any:
    import transformers
    from transformers.models.auto import modeling_auto

    # Encoders have a causal class as well, which looks ahead all the same unless their config says otherwise.
    encoder = model_type in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    name = None if encoder else modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(model_type)
    if name is None:
        raise ModelLoadError(
            f"model_type {model_type!r} cannot be loaded: transformers has no decoder of this type. "
            "Use a model of another family."
        )
    found = getattr(transformers, str(name))
    # Prompts are padded at the right and answers go on behind them, which takes positions that can be told.
    missing = {"position_ids", "logits_to_keep"} - set(signature(found.forward).parameters)
    if missing:
        raise ModelLoadError(
            f"model_type {model_type!r} cannot be used: {name} takes no {', '.join(sorted(missing))}. "
            "Use a model of another family."
        )
    return found
