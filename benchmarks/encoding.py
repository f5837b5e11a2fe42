"""From table to tokenised, masked rows: this project beside alpaca-lora's way, on the same rows and tokenizer.

    python benchmarks/encoding.py [--rows 4000] [--turns 5]

Makes rows of the lengths of Cosmos QA, learns a byte-level BPE in the manner of GPT-2 on them, and lets both ways
write ids and labels as Arrow files, turn by turn, each in a process of its own: on one core without the tokenizer's
threads, and on all cores with them. alpaca-lora's way is `datasets.map` over one row at a time that tokenises the
prompt and the full text apart, each cut off at the limit. Ids and masks must be identical wherever nothing was
cut. Prints medians, their ratio, and the peak memory for N and for 8 N rows.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rc_pipeline.lake.code import PROJECT

TEMPLATE = PROJECT / "catalog/prompts/alpaca.json"
# alpaca-lora's own default.
MAX_TOKENS = 256
VOCABULARY = 16_000
WORDS = 8_000
SETTINGS = {"one core": (1, "false"), "all cores": (os.cpu_count() or 1, "true")}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        way, folder, name = arguments.worker
        print(json.dumps(measure(way, Path(folder), name)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_rows(folder / "n.parquet", arguments.rows)
        make_rows(folder / "8n.parquet", 8 * arguments.rows)
        learn_tokenizer(folder)
        for setting in SETTINGS:
            compare(folder, setting, arguments.turns, arguments.rows)
        check_identity(folder)
        show_memory(folder, arguments.rows)


def compare(folder: Path, setting: str, turns: int, rows: int) -> None:
    """Run both ways turn by turn and print their rows a second."""
    cores, threads = SETTINGS[setting]
    found: dict[str, list[dict[str, float]]] = {"ours": [], "alpaca-lora": []}
    for _ in range(turns):
        for way, measured in found.items():
            measured.append(run(way, folder, "n", cores, threads))
    for clock in ("seconds", "core_seconds"):
        seconds = {way: [each[clock] for each in measured] for way, measured in found.items()}
        theirs = statistics.median(seconds["alpaca-lora"])
        for way, measured in seconds.items():
            median = statistics.median(measured)
            rate, spread = rows / median, f"{rows / max(measured):,.0f} to {rows / min(measured):,.0f}"
            unit = clock.removesuffix("s").replace("_", "-")
            print(f"{setting:9} {way:11} {rate:6,.0f} rows a {unit:11} ({spread}), {theirs / median:.2f} x alpaca-lora")


def check_identity(folder: Path) -> None:
    """Hold both results against each other, row by row."""
    import pyarrow as pa

    ours, theirs = (pa.ipc.open_stream(folder / f"n.{way}.arrow").read_all() for way in ("ours", "alpaca-lora"))
    identical = cut = 0
    for mine, other in zip(ours.to_pylist(), theirs.to_pylist(), strict=True):
        if len(other["input_ids"]) == MAX_TOKENS:
            cut += 1
        elif all(mine[column] == other[column] for column in ("input_ids", "labels")):
            identical += 1
        else:
            raise SystemExit(f"ids or labels differ where nothing was cut:\n{mine}\n{other}")
    refused = ours["input_ids"].null_count
    print(f"identical ids and labels in {identical} rows, all that are short enough; {cut} are too long: alpaca-lora's")
    print(
        f"way cut off their ends, answers first; here {cut - refused} lost words of the passage, {refused} were refused"
    )


def show_memory(folder: Path, rows: int) -> None:
    """Print the peak memory of both ways for N and 8 N rows."""
    for way in ("ours", "alpaca-lora"):
        small, large = (run(way, folder, name, 1, "false")["peak_mib"] for name in ("n", "8n"))
        print(f"{way:12} peak memory {small:5.0f} MiB at {rows} rows, {large:5.0f} MiB at {8 * rows} rows")


def run(way: str, folder: Path, name: str, cores: int, threads: str) -> dict[str, float]:
    """Measure one way in a fresh process on so many cores."""
    command = [sys.executable, __file__, "--worker", way, str(folder), name]
    environment = os.environ | {
        "TOKENIZERS_PARALLELISM": threads,
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "HF_HOME": str(folder / "hub"),
        "PYTHONPATH": str(PROJECT),
    }
    available = sorted(os.sched_getaffinity(0))[:cores]
    done = subprocess.run(
        command,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, available),
    )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def measure(way: str, folder: Path, name: str) -> dict[str, float]:
    """Encode a table in this process and return the seconds without imports, and the peak memory."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    source, out = folder / f"{name}.parquet", folder / f"{name}.{way}.arrow"
    encode = {"ours": encode_as_here, "alpaca-lora": encode_as_alpaca_lora}[way]
    # The libraries' own imports are no part of it; pandas is what pyarrow looks for when it is first given lists.
    for library in ("datasets", "pandas", "pyarrow.parquet", "rc_pipeline.prompting.encoding"):
        importlib.import_module(library)
    started, core_started = time.perf_counter(), time.process_time()
    encode(source, out, tokenizer, template)
    return {
        "seconds": time.perf_counter() - started,
        "core_seconds": time.process_time() - core_started,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def encode_as_here(source: Path, out: Path, tokenizer: Any, template: dict[str, str]) -> None:
    """Stream the table through the project's encoder into an Arrow file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from rc_pipeline.prompting.encoding import encode_each
    from rc_pipeline.prompting.template import Prompt

    rows = (row for batch in pq.ParquetFile(source).iter_batches(batch_size=512) for row in batch.to_pylist())
    encoded = encode_each(rows, tokenizer, Prompt.from_dict(template), max_tokens=MAX_TOKENS)
    schema = pa.schema({"input_ids": pa.list_(pa.int32()), "labels": pa.list_(pa.int32())})
    with pa.ipc.new_stream(out, schema) as writer:
        for batch in batched(encoded, 512):
            columns = [[getattr(row, column, None) for row in batch] for column in ("ids", "labels")]
            writer.write_batch(pa.record_batch(columns, schema=schema))


def encode_as_alpaca_lora(source: Path, out: Path, tokenizer: Any, template: dict[str, str]) -> None:
    """Map the table row by row: the prompt and the full text are tokenised apart, and cut off at the limit."""
    import datasets

    def tokenised(text: str) -> dict[str, list[int]]:
        result = tokenizer(text, truncation=True, max_length=MAX_TOKENS, padding=False)
        ids = result["input_ids"]
        if len(ids) < MAX_TOKENS and ids[-1] != tokenizer.eos_token_id:
            ids.append(tokenizer.eos_token_id)
            result["attention_mask"].append(1)
        return {"input_ids": ids, "attention_mask": result["attention_mask"], "labels": ids.copy()}

    def encoded(row: dict[str, Any]) -> dict[str, list[int]]:
        chosen = template["prompt_input"] if row["input"] else template["prompt_no_input"]
        prompt = chosen.format(instruction=row["instruction"], input=row["input"])
        result = tokenised(f"{prompt}{row['output']}")
        masked = len(tokenised(prompt)["input_ids"]) - 1
        result["labels"] = [-100] * masked + result["labels"][masked:]
        return result

    table = datasets.Dataset.from_parquet(str(source), cache_dir=str(out.parent / "cache"))
    table.map(encoded, load_from_cache_file=False, cache_file_name=str(out))


def batched(things: Iterator[Any], size: int) -> Iterator[list[Any]]:
    """Yield lists of `size` things."""
    batch: list[Any] = []
    for thing in things:
        batch.append(thing)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def make_rows(path: Path, count: int) -> None:
    """Write rows of the lengths of Cosmos QA: a context of 73 words in the mean, a question, four options."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    chance = random.Random(count)  # noqa: S311
    vocabulary, weights = words()

    def text(low: int, mean: int, high: int) -> str:
        length = min(high, max(low, round(chance.gauss(mean, mean / 4))))
        return " ".join(chance.choices(vocabulary, cum_weights=weights, k=length)).capitalize() + " ."

    def row() -> dict[str, Any]:
        context, options = text(25, 73, 150), [text(3, 9, 25) for _ in range(4)]
        listed = "\n".join(f"{letter}. {option}" for letter, option in zip("ABCD", options, strict=True))
        return {
            "instruction": "Read the passage and choose the best answer to the question.",
            "input": f"Passage: {context}\n\nQuestion: {text(5, 11, 30)}\n\nOptions:\n{listed}",
            "passage_start": 9,
            "passage_end": 9 + len(context),
            "output": chance.choice(options),
        }

    pq.write_table(pa.Table.from_pylist([row() for _ in range(count)]), path, row_group_size=1024)


def words() -> tuple[list[str], list[float]]:
    """Return a vocabulary and its cumulated weights, as frequent as words are."""
    chance = random.Random(0)  # noqa: S311
    parts = [start + vowel + end for start in "bcdfghlmnprstvw" for vowel in "aeiou" for end in ("", "n", "r", "st")]
    made = {"".join(chance.choices(parts, k=chance.choice((1, 2, 2, 3)))) for _ in range(2 * WORDS)}
    vocabulary = sorted(made)[:WORDS]
    chance.shuffle(vocabulary)
    total, cumulated = 0.0, []
    for rank in range(1, len(vocabulary) + 1):
        total += 1 / rank
        cumulated.append(total)
    return vocabulary, cumulated


def learn_tokenizer(folder: Path) -> None:
    """Learn a byte-level BPE on the rows and save it."""
    import pyarrow.parquet as pq
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    texts = [template["prompt_input"].format(**row) for row in pq.read_table(folder / "n.parquet").to_pylist()]
    tokenizer.train_from_iterator(texts, trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>").save_pretrained(folder)  # noqa: S106


if __name__ == "__main__":
    main()
