"""Tuning: this project beside TRL's SFTTrainer and the procedure of alpaca-lora.

    python benchmarks/training.py [--small] [--rows 96] [--epochs 1] [--repeats 3] [--bf16]

The same GPT-2-sized model of random weights (or a `--small` one), rows as long as Cosmos QA's prompts with short
answers, LoRA on every product, effective batch and schedule; fp32 for all, without dropout. Each runs in a process
of its own on one core, turn by turn: ours; SFTTrainer of TRL from PyPI, in an environment of its own above the same
torch and transformers, with its default memory settings; transformers' Trainer with DataCollatorForSeq2Seq, four
rows at a time in random order, as alpaca-lora trains. `--bf16` adds ours with products in bfloat16.
Prints useful (not padding) tokens a second of processor time, the ratios, the loss on all rows after the training,
measured in one way for all, and the peak memory.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import venv
from pathlib import Path

import numpy as np

TRL = "trl==1.16.0"
# No warm-up: a Trainer begins one with a step of length 0, this project with one of some length.
VOCABULARY, END, BATCH, RANK, RATE = 50_257, 50_256, 16, 8, 1e-3
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
SHARED = f"""
import json, os, sys, time
os.sched_setaffinity(0, {{max(os.sched_getaffinity(0))}})
from pathlib import Path
import torch
torch.set_num_threads(1)
folder, epochs = Path(sys.argv[1]), float(sys.argv[2])
rows = json.loads((folder / "rows.json").read_text())
tune = {{"method": "lora", "rank": {RANK}, "alpha": None, "dropout": 0.0, "targets": "all-linear"}}

def examples():
    from rc_pipeline.prompting.encoding import Encoded
    return [Encoded(row["ids"], masked=row["prompt"], prompt_tokens=row["prompt"]) for row in rows]

def adapted(dtype="float32"):
    from rc_pipeline.models.loading import load_model
    from rc_pipeline.training.methods import add_weights
    return add_weights(load_model(folder / "model", family="gpt2", dtype=dtype), tune, seed=0)

def report(seconds, model):
    from rc_pipeline.training.objective import Objective
    peak = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    every, objective = examples(), Objective({END})
    model.eval()
    with torch.no_grad():
        total = sum(objective.summed_loss(model, [row], training=False).item() for row in every)
    tokens = epochs * sum(len(row["ids"]) for row in rows)
    print(json.dumps({{"tokens_per_second": tokens / seconds, "loss": total / objective.weight(every),
                      "gibibytes": int(peak) / 2**20}}))

def arguments(**more):
    return dict(output_dir=str(folder / "out"), num_train_epochs=epochs, learning_rate={RATE},
                lr_scheduler_type="cosine", warmup_steps=0, weight_decay=0.0, logging_strategy="no",
                save_strategy="no", report_to="none", use_cpu=True, seed=0, disable_tqdm=True, **more)
"""
OURS = f"""
from rc_pipeline.training.batches import plan_batches
from rc_pipeline.training.checkpoints import Checkpoints
from rc_pipeline.training.loop import Schedule, Trainer
from rc_pipeline.training.memory import cached_tokens
from rc_pipeline.training.objective import Objective
bf16 = sys.argv[3] == "bf16"
every = examples()
batches = plan_batches([len(row.ids) for row in every], batch_size={BATCH}, epochs=epochs, seed=0)
model = adapted("bfloat16" if bf16 else "float32")
trainer = Trainer(model, Objective({END}, bf16=bf16), every, batches, Schedule(len(batches), {RATE}, 0.0), 0, 0.0, 1.0,
                  Checkpoints(folder, "benchmark"), micro_batch_tokens=cached_tokens(model.config.hidden_size))
from peft.helpers import disable_input_dtype_casting
started = time.process_time()
with disable_input_dtype_casting(model, active=bf16):
    trainer.run(lambda *_, **__: None, lambda _: None)
report(time.process_time() - started, trainer.model)
"""
TRL_RUN = f"""
from datasets import Dataset
from transformers import PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer
masks = [[0] * row["prompt"] + [1] * (len(row["ids"]) - row["prompt"]) for row in rows]
data = Dataset.from_dict({{"input_ids": [row["ids"] for row in rows], "completion_mask": masks}})
config = SFTConfig(**arguments(per_device_train_batch_size=8, gradient_accumulation_steps={BATCH} // 8, bf16=False),
                   completion_only_loss=True)
tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "model")
trainer = SFTTrainer(adapted(), args=config, train_dataset=data, processing_class=tokenizer)
started = time.process_time()
trainer.train()
report(time.process_time() - started, trainer.model)
"""
ALPACA_LORA = f"""
from datasets import Dataset
from transformers import DataCollatorForSeq2Seq, PreTrainedTokenizerFast, Trainer, TrainingArguments
labels = [[-100] * row["prompt"] + row["ids"][row["prompt"] :] for row in rows]
data = Dataset.from_dict({{"input_ids": [row["ids"] for row in rows], "labels": labels,
                          "attention_mask": [[1] * len(row["ids"]) for row in rows]}})
tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "model")
trainer = Trainer(
    adapted(), TrainingArguments(**arguments(per_device_train_batch_size=4, gradient_accumulation_steps={BATCH} // 4)),
    DataCollatorForSeq2Seq(tokenizer, pad_to_multiple_of=8, return_tensors="pt", padding=True), data)
started = time.process_time()
trainer.train()
report(time.process_time() - started, trainer.model)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="four layers, 256 wide")
    parser.add_argument("--bf16", action="store_true", help="ours in bfloat16 as well")
    options = parser.parse_args()
    runs = {"this project": (OURS, "fp32"), "alpaca-lora": (ALPACA_LORA, "fp32"), "TRL": (TRL_RUN, "fp32")}
    if options.bf16:
        runs["ours, bf16"] = (OURS, "bf16")
    found: dict[str, list[dict]] = {name: [] for name in runs}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tokens = _write_rows(folder / "rows.json", options.rows)
        _write_model(folder / "model", small=options.small)
        python = _environment(folder / "peers")
        print(f"{options.rows} rows, {tokens} tokens, {options.epochs} epoch(s), {BATCH} rows a step; one core")
        for _ in range(options.repeats):
            for name, (code, precision) in runs.items():
                command = [python, "-c", SHARED + code, str(folder), str(options.epochs), precision]
                found[name].append(_run(command))
    ours = statistics.median(run["tokens_per_second"] for run in found["this project"])
    for name, measured in found.items():
        speeds = [run["tokens_per_second"] for run in measured]
        print(
            f"{name:13} median {statistics.median(speeds):6.0f} tokens/s ({min(speeds):.0f} to {max(speeds):.0f})  "
            f"this project in fp32: {ours / statistics.median(speeds):4.2f} x  loss {measured[0]['loss']:.4f}  "
            f"peak {max(run['gibibytes'] for run in measured):.2f} GiB"
        )


def _run(command: list[str]) -> dict:
    """Run a measurement and return what it printed last."""
    done = subprocess.run(command, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def _environment(folder: Path) -> str:
    """Make an environment with TRL alone, above the packages that this one has."""
    import torch

    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", TRL], check=True)
    own = next((folder / "lib").glob("python*/site-packages"))
    # addsitedir, so that an editable install of this project is seen as well.
    shared = Path(torch.__file__).parents[1]
    (own / "shared.pth").write_text(f"import site; site.addsitedir({str(shared)!r})\n")
    return str(python)


def _write_rows(path: Path, count: int) -> int:
    """Write token ids as frequent as words are, prompts of about 190 tokens and answers of about ten."""
    random = np.random.default_rng(7)
    often = 1 / np.arange(3, VOCABULARY + 2)
    rows = []
    for _ in range(count):
        prompt = int(np.clip(random.lognormal(np.log(180), 0.35), 48, 500))
        answer = int(np.clip(random.poisson(9), 2, 40))
        ids = random.choice(VOCABULARY - 1, prompt + answer, p=often / often.sum()).tolist()
        rows.append({"ids": [*ids, END], "prompt": prompt})
    path.write_text(json.dumps(rows))
    return sum(len(row["ids"]) for row in rows)


def _write_model(folder: Path, *, small: bool) -> None:
    """Write GPT-2 with random weights, and a tokenizer that only has to pad."""
    import torch
    from tokenizers import Tokenizer, models
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    size = {"n_layer": 4, "n_embd": 256, "n_head": 4} if small else {}
    torch.manual_seed(0)
    config = GPT2Config(**size, embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0)
    GPT2LMHeadModel(config).save_pretrained(folder)
    words = {**{f"w{i}": i for i in range(END)}, "<end>": END}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))  # noqa: S106
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>").save_pretrained(folder)  # noqa: S106


if __name__ == "__main__":
    main()
