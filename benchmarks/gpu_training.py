"""Tuning on one GPU: tokens a second, MFU and memory at the size of the mission's models.

    python benchmarks/gpu_training.py [--models minicpm_2b llama2_7b] [--methods lora qlora] [--steps 20]
        [--layout padded packed] [--max-tokens 1024] [--checkpointing] [--json FILE] [--tiny]

Weights are random and made on the device, in bf16 or quantised layer by layer: nothing is downloaded, and no checkpoint
is written. Rows are as long as those of reading comprehension, with short answers. What trains is this project's own
trainer with its settings: the tokens of a pass found from the memory there is, logits at answers alone, AdamW on the
adapters in fp32. A case that the forecast says cannot fit is skipped, and said to be.

MFU counts 4 floating-point operations a weight of the layers and real token (forward, and the way back to the inputs;
frozen weights have no gradients). Embeddings, attention, the head, padding and what checkpointing computes again are
left out. It is a share of what the device's data sheet promises for dense bf16, or, for a device that is not in the
table below, of what its own product of two large matrices reached. `--tiny` is a test of this script on any machine.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from measuring import run_alone

# Dense bf16, in 1e12 operations a second, by words of the device's name; the first that fits counts.
PROMISED = {
    "B200": 2250, "H200": 989, "GH200": 989, "H100 PCIe": 756, "H100": 989, "A100": 312, "L40S": 362, "L40": 181,
    "L4": 121, "A40": 150, "A10": 125, "RTX 5090": 209, "RTX 4090": 165, "RTX 3090": 71, "RTX A6000": 155,
}  # fmt: skip
COMMON = {"tie_word_embeddings": False, "max_position_embeddings": 4096, "pad_token_id": 0}
MODELS: dict[str, dict[str, Any]] = {
    # As rc_pipeline.models.mappings turns it into Granite.
    "minicpm_2b": COMMON | {
        "model_type": "granite", "hidden_size": 2304, "intermediate_size": 5760, "num_hidden_layers": 40,
        "num_attention_heads": 36, "num_key_value_heads": 36, "vocab_size": 122_753, "tie_word_embeddings": True,
        "embedding_multiplier": 12.0, "residual_multiplier": 1.4 / 40**0.5, "attention_multiplier": 0.125,
        "logits_scaling": 9.0,
    },
    "llama2_7b": COMMON | {
        "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11_008, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 32, "vocab_size": 32_000,
    },
}  # fmt: skip
TINY = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 4, "vocab_size": 300}  # fmt: skip
FLOPS_A_WEIGHT, WARM_UP_STEPS, RATE = 4, 3, 2e-4


def main() -> None:
    """Measure every case in a process of its own and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--methods", nargs="+", choices=["lora", "qlora"], default=["lora", "qlora"])
    parser.add_argument("--layout", nargs="+", choices=["padded", "packed"], default=["padded", "packed"])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=64, help="rows a step")
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=1024, help="longest row")
    parser.add_argument("--checkpointing", action="store_true", help="compute activations twice in any case")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    parser.add_argument("--tiny", action="store_true", help="tiny models, a CPU will do")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(_measure(json.loads(options.case))))
        return
    settings = {
        name: getattr(options, name) for name in ("steps", "batch", "rank", "max_tokens", "checkpointing", "tiny")
    }
    found = []
    for model, method, layout in product(options.models, options.methods, options.layout):
        case = {"model": model, "method": method, "layout": layout} | settings
        figures = case | run_alone([sys.executable, __file__, "--case", json.dumps(case)])
        if not found:
            print(f"{figures['device']}, {figures['promised'] / 1e12:.0f} TFLOP/s {figures['promised_by']}")
        print(_in_words(figures), flush=True)
        found.append(figures)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _in_words(figures: dict[str, Any]) -> str:
    case = f"{figures['model']:11} {figures['method']:6} {figures['layout']:7}"
    if "skipped" in figures:
        return f"{case} skipped: {figures['skipped']}"
    peak = f"{figures['peak_bytes'] / 1e9:.2f} GB" if figures["peak_bytes"] else "not measured"
    return (
        f"{case} {figures['tokens_per_second']:9,.0f} tokens/s  MFU {100 * figures['mfu']:5.1f} %  "
        f"peak {peak}, predicted {figures['predicted_bytes'] / 1e9:.2f} GB  "
        f"{figures['pass_tokens']:6,} tokens a pass{', activations twice' if figures['twice'] else ''}  "
        f"padding {100 * figures['padding']:4.1f} %"
    )


def _measure(case: dict[str, Any]) -> dict[str, Any]:
    from rc_pipeline.models.loading import best_device, prepare_process

    prepare_process(bitsandbytes=case["method"] == "qlora")
    import torch

    from rc_pipeline.training.forecast import forecast
    from rc_pipeline.training.shapes import read_shape

    device = best_device()
    if device == "cpu" and not case["tiny"]:
        raise SystemExit("There is no GPU here; --tiny tests this script without one.")
    config = MODELS[case["model"]] | (TINY if case["tiny"] else {})
    tune = {
        "method": case["method"], "rank": case["rank"], "alpha": None, "dropout": 0.0, "targets": "all-linear",
        "gradient_checkpointing": case["checkpointing"], "precision": "bf16", "packing": case["layout"] == "packed",
    }  # fmt: skip
    promised, by = _promised(device)
    told = {
        "device": torch.cuda.get_device_name() if device == "cuda" else "CPU", "promised": promised, "promised_by": by,
        "torch": torch.__version__,
    }  # fmt: skip
    least = forecast(read_shape(config), tune, tokens=case["max_tokens"], labels=64, checkpointing=True).total
    if device == "cuda" and least > torch.cuda.mem_get_info()[1]:
        return told | {"skipped": f"needs {least / 1e9:.1f} GB at least"}
    return told | _train(case, config, tune, device, promised)


def _train(
    case: dict[str, Any], config: dict[str, Any], tune: dict[str, Any], device: str, promised: float
) -> dict[str, Any]:
    """Train for some steps; the first ones, in which kernels are chosen and memory is taken, do not count."""
    import torch
    from peft.helpers import disable_input_dtype_casting

    from rc_pipeline.training.batches import plan_batches
    from rc_pipeline.training.checkpoints import Checkpoints
    from rc_pipeline.training.forecast import forecast
    from rc_pipeline.training.loop import Schedule, Trainer
    from rc_pipeline.training.memory import fit_into_memory
    from rc_pipeline.training.methods import add_weights
    from rc_pipeline.training.objective import Objective
    from rc_pipeline.training.packed_attention import keep_rows_apart
    from rc_pipeline.training.parallel import ALONE
    from rc_pipeline.training.preparing import be_deterministic
    from rc_pipeline.training.shapes import read_shape

    be_deterministic()
    model = _random_model(config, device, bits=4 if case["method"] == "qlora" else None)
    rows = _rows(case["batch"] * case["steps"], config["vocab_size"], case["max_tokens"])
    lengths = [len(row.ids) for row in rows]
    batches = plan_batches(lengths, batch_size=case["batch"], epochs=1, seed=0)
    tokens = fit_into_memory(model, tune, rows, ALONE, bf16=True)
    twice = model.is_activation_checkpointing
    if tune["packing"]:
        keep_rows_apart(model)
    objective = Objective(0, packing=tune["packing"], bf16=True)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            add_weights(model, tune, seed=0), objective, rows, batches, Schedule(len(batches), RATE, 0.0), 0, 0.0, 1.0,
            Checkpoints(Path(folder), "benchmark"), checkpoint_steps=10**9, micro_batch_tokens=tokens,
        )  # fmt: skip
        with disable_input_dtype_casting(trainer.model):
            journal = trainer.run(lambda *_, **__: None, lambda text: print(text, file=sys.stderr))
    counted = journal.lines[min(WARM_UP_STEPS, len(journal.lines) - 1) :]
    speed = sum(line["tokens"] for line in counted) / sum(line["seconds"] for line in counted)
    shape = read_shape(config)
    passes = [part for batch in batches for part in ALONE.passes(batch, lengths, trainer.micro_batch_tokens)]
    laid_out = sum(max(lengths[i] for i in part) * len(part) for part in passes)
    largest = max(max(lengths[i] for i in part) * len(part) for part in passes)
    predicted = forecast(shape, tune, tokens=largest, labels=largest // 16, checkpointing=twice)
    return {
        "tokens_per_second": speed,
        "mfu": FLOPS_A_WEIGHT * shape.layer_weights * speed / promised,
        "peak_bytes": torch.cuda.max_memory_reserved() if device == "cuda" else 0,
        "predicted_bytes": predicted.total - predicted.overhead,
        "pass_tokens": trainer.micro_batch_tokens,
        "twice": twice,
        "padding": 0.0 if tune["packing"] else 1 - sum(lengths) / laid_out,
        "loss": [journal.losses[0], journal.losses[-1]],
    }


def _promised(device: str) -> tuple[float, str]:
    """Return the device's operations a second, and who says so."""
    import torch

    if device == "cuda":
        name = torch.cuda.get_device_name()
        known = next((number for part, number in PROMISED.items() if re.search(rf"\b{part}\b", name)), None)
        if known is not None:
            return known * 1e12, "by its data sheet (dense bf16)"
    size, repeats = (8192, 20) if device == "cuda" else (512, 3)
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        left @ right
    if device == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(repeats):
        left @ right
    if device == "cuda":
        torch.cuda.synchronize()
    return 2 * size**3 * repeats / (time.perf_counter() - started), "measured in a product of two matrices"


def _random_model(config: dict[str, Any], device: str, *, bits: int | None) -> Any:
    """Make a model part by part on the device: a whole one in bf16 may not fit beside its quantised form."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    made = AutoConfig.for_model(**config)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(made, dtype=torch.bfloat16, attn_implementation="sdpa")
    torch.manual_seed(0)
    for name, part in list(model.named_modules()):
        if bits and isinstance(part, torch.nn.Linear) and name != "lm_head":
            model.set_submodule(name, _quantised(part, device))
            continue
        for own, weight in list(part.named_parameters(recurse=False)):
            random = torch.ones if weight.ndim == 1 else torch.randn
            value = random(weight.shape, dtype=torch.bfloat16, device=device)
            part.register_parameter(own, torch.nn.Parameter(value * 0.02 if weight.ndim > 1 else value))
    model.tie_weights()
    # Its frequencies are computed, not learned.
    model.model.rotary_emb = type(model.model.rotary_emb)(made).to(device)
    if bits:
        model.is_loaded_in_4bit = True
    model.config.pad_token_id = None
    return model.eval()


def _quantised(part: Any, device: str) -> Any:
    """Return a product of random weights as `tune.method: qlora` holds it."""
    import torch
    from bitsandbytes.nn import Linear4bit, Params4bit

    made = Linear4bit(
        part.in_features, part.out_features, bias=False, compute_dtype=torch.bfloat16, compress_statistics=True,
        quant_type="nf4", device="meta",
    )  # fmt: skip
    weight = torch.randn(part.out_features, part.in_features, dtype=torch.bfloat16, device=device) * 0.02
    made.weight = Params4bit(weight, requires_grad=False, compress_statistics=True, quant_type="nf4").to(device)
    # See rc_pipeline.models.loading: else processors with AVX512-BF16 would get wrong gradients.
    made.support_avx512bf16_for_cpu = False
    return made


def _rows(count: int, vocabulary: int, max_tokens: int) -> list[Any]:
    """Return rows of a third of the longest in the median, a few at the limit, and answers of about ten tokens."""
    from rc_pipeline.prompting.encoding import Encoded

    random = np.random.default_rng(7)
    rows = []
    for _ in range(count):
        answer = int(np.clip(random.poisson(9), 2, 40))
        prompt = int(np.clip(random.lognormal(np.log(max_tokens / 3), 0.6), 16, max_tokens - answer))
        ids = random.integers(0, vocabulary, prompt + answer).tolist()
        rows.append(Encoded(ids, masked=prompt, prompt_tokens=prompt))
    return rows


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
