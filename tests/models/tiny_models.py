"""Tiny random models of every family, and instructions to feed them: real parts, small enough for any test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

FAMILIES = ("llama", "granite", "gpt2", "glm")
TEXT = "the red blue green box cup holds a key coin ring Anna Ben Cara lives in Rome Oslo Kyiv who where what"
PROMPT = {
    "name": "plain",
    "prompt_input": "{input}\n{instruction}\nAnswer:",
    "prompt_no_input": "{instruction}\nAnswer:",
    "response_split": "Answer:",
}
TUNE: dict[str, Any] = {
    "method": "lora",
    "rank": 4,
    "alpha": None,
    "dropout": 0.0,
    "targets": "all-linear",
    "learning_rate": 5e-3,
    "epochs": 1.0,
    "batch_size": 4,
    "max_tokens": 128,
    "warmup": 0.1,
    "loss_on": "answer",
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
}


def write_tokenizer(folder: Path) -> None:
    """Write a byte-level BPE tokenizer with BOS, EOS and padding."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT] * 20, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
        clean_up_tokenization_spaces=False,
    )
    wrapped.save_pretrained(folder)


def write_model(folder: Path, family: str = "llama", seed: int = 0, positions: int = 256) -> Path:
    """Write a whole checkpoint folder with random weights."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder)
    torch.manual_seed(seed)
    model = _model(family, positions)
    with torch.no_grad():
        for weight in model.parameters():
            # Default initial weights are so small that every answer would be the same.
            weight.mul_(4.0) if weight.ndim > 1 else weight
    model.save_pretrained(folder)
    return folder


def _model(family: str, positions: int) -> Any:
    import transformers as t

    ids = {"vocab_size": 330, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    sizes = ids | {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": positions,
    }
    if family == "llama":
        return t.LlamaForCausalLM(t.LlamaConfig(**sizes, tie_word_embeddings=True))
    if family == "granite":
        scaled = {"embedding_multiplier": 3.0, "residual_multiplier": 0.5, "logits_scaling": 2.0}
        return t.GraniteForCausalLM(t.GraniteConfig(**sizes, **scaled, attention_multiplier=0.35))
    if family == "gpt2":
        config = t.GPT2Config(**ids, n_embd=32, n_layer=2, n_head=4, n_positions=positions)
        return t.GPT2LMHeadModel(config)
    return t.GlmForCausalLM(t.GlmConfig(**sizes, head_dim=8, attention_bias=True))


def instructions(count: int = 40, *, choices: bool = False, dataset: str = "toy", split: str = "train") -> pl.DataFrame:
    """Return rows as the instructions stage writes them."""
    rows = [_row(i, choices, dataset, split) for i in range(count)]
    return pl.DataFrame(
        rows,
        schema_overrides={
            "order": pl.UInt64,
            "gold_label": pl.Int8,
            "choices": pl.List(pl.String),
            "gold_answers": pl.List(pl.String),
            "output": pl.String,
        },
    )


def _row(i: int, choices: bool, dataset: str, split: str) -> dict[str, Any]:
    name, place = ("Anna", "Ben", "Cara")[i % 3], ("Rome", "Oslo", "Kyiv")[(i * 7 + i // 3) % 3]
    passage = f"{name} lives in {place}. " + "the red box holds a key. " * (i % 5)
    options = ["Rome", "Oslo", "Kyiv", f"the blue box of {name}"]
    return {
        "instruction_id": f"{dataset}/{split}/{i:04d}:t",
        "row_id": f"{dataset}/{split}/{i:04d}",
        "dataset": dataset,
        "split": split,
        "template": "t",
        "language": "en",
        "instruction": f"where lives {name}" + " who" * (i % 3),
        "input": passage,
        "passage_start": 0,
        "passage_end": len(passage),
        "output": place,
        "choices": options if choices else [],
        "gold_label": options.index(place) if choices else None,
        "gold_answers": [place],
        "group": f"g{i}",
        "order": (i * 2654435761) % 2**32,
    }


def write_instructions(path: Path, frame: pl.DataFrame) -> str:
    """Write instructions as Parquet and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path)
    return str(path)


def training_spec(base: Path, folder: Path, frame: pl.DataFrame, **tune: Any) -> dict[str, Any]:
    """Return a training spec over `frame` whose files lie under `folder`."""
    return {
        "base": {"folder": str(base), "family": json.loads((base / "config.json").read_text())["model_type"]},
        "prompt": PROMPT,
        "train": [{"dataset": "toy", "files": [write_instructions(folder / "train.parquet", frame)], "rows": None}],
        "mixture": {"rows": None, "temperature": 1.0},
        "shots": None,
        "tune": TUNE | tune,
        "context_tokens": 128,
        "seed": 3,
        "threads": 1,
        "out": str(folder / "out"),
        "scratch": str(folder / "scratch"),
    }
