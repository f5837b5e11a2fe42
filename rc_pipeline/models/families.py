"""Which families of base models there are, and which checkpoints can be read where they lie."""

from __future__ import annotations

from collections.abc import Iterable

# Any decoder that transformers has a class of, by the model_type of its config.json.
NATIVE = "native"
# Families whose checkpoints come with code of their own, by the native family that computes the same.
LOADED_AS = {"chatglm2": "glm", "minicpm": "granite"}
# What `model_type` is in the config.json of an original checkpoint, where it is not the family's name.
MODEL_TYPES = {"chatglm2": "chatglm"}
# Families whose encoder reads the prompt, a text with an end of its own, and whose decoder writes the answer.
ENCODER_DECODERS = frozenset({"t5"})
# What a sentencepiece model is called; T5's has a name of its own.
SENTENCEPIECE = ("tokenizer.model", "spiece.model")
SAFE_WEIGHTS = frozenset({"model.safetensors", "model.safetensors.index.json"})


def read_in_place(family: str, names: Iterable[str]) -> bool:
    """Tell whether a folder with these files is loaded as it is, or is first written anew in the native form."""
    there = set(names)
    return family not in LOADED_AS and "tokenizer.json" in there and not SAFE_WEIGHTS.isdisjoint(there)


def wanted(names: Iterable[str]) -> list[str]:
    """Return the files of a checkpoint that decide the model: no code, and pickled weights if there are no others."""
    there = sorted(name for name in names if "/" not in name)
    pickled = SAFE_WEIGHTS.isdisjoint(there)
    return [
        name
        for name in there
        if name.endswith((".json", ".safetensors", ".model", ".txt", ".jinja"))
        or "LICENSE" in name
        or (pickled and name.startswith("pytorch_model") and name.endswith(".bin"))
    ]
