"""Contamination: this project beside datasketch and a Python set of n-grams, one row at a time.

    python benchmarks/overlaps.py [--rows 138000] [--asked 10000] [--peer-rows 5000] [--repeats 3]

Makes tables in the layout of TriviaQA: passages of 400 words, as frequent as in English, and short
questions. A hundredth of the evaluation rows have a passage that stands in training with one word
changed, another hundredth shares thirteen words and more. Then, each in a process of its own on one core:
the same `--peer-rows` training rows against a tenth as many evaluation rows by both, turn by turn, and
all `--rows` against `--asked` by this project alone. Prints training rows a second of processor time,
the ratio, what was found, the most memory held, and the same for duplicates within the training set.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import numpy as np
from measuring import run_alone

PEER = "datasketch==2.0.0"
VOCABULARY, PASSAGE_WORDS, QUESTION_WORDS, ROWS_A_GROUP = 60_000, 400, 12, 2_000
START = """
import json, os, sys, time
from pathlib import Path
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
folder = Path(sys.argv[1])
def peak():
    return int(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line))
"""
OURS = """
import polars as pl
from rc_pipeline.overlaps.build import Dataset, build_overlaps
side = Dataset("b", "trivia_qa", ["question", "passage"], ["train"], {}, 0, folder / "tables", folder / "passages")
started = time.process_time()
outcome = build_overlaps(taught=side, asked=side, split="valid", out=folder / "out")
seconds = time.process_time() - started
assert outcome.checks[0].passed, outcome.checks
found = pl.read_parquet(folder / "out" / "overlaps.parquet")
rows = {kind: sorted(found.filter(kind=kind)["row_id"]) for kind in ("shared_ngrams", "near_duplicate")}
print(json.dumps({"seconds": seconds, "mebibytes": peak() / 1024, "found": rows}))
"""
DUPLICATES = """
import polars as pl
from rc_pipeline.instructions.duplicates import find_duplicates
from rc_pipeline.overlaps.build import Dataset
side = Dataset("b", "trivia_qa", ["question", "passage"], ["train"], {}, 0, folder / "tables", folder / "passages")
def batches():
    for batch in side.batches("train"):
        order = batch["row_id"].hash(1).alias("order")
        yield pl.concat([batch.select("row_id"), order.to_frame(), side.content.said(batch)], how="horizontal")
started = time.process_time()
found = find_duplicates(batches(), near=True)
print(json.dumps({"seconds": time.process_time() - started, "mebibytes": peak() / 1024, "found": len(found)}))
"""
THEIRS = """
import re
from datasketch import MinHash, MinHashLSH

rows = {split: [json.loads(line) for line in (folder / f"{split}.jsonl").open()] for split in ("train", "valid")}

def read(text):
    words = re.findall(r"\\w+", text.lower())
    sketch = MinHash(num_perm=128)
    for at in range(len(words) - 2):
        sketch.update(" ".join(words[at : at + 3]).encode())
    return {" ".join(words[at : at + 13]) for at in range(len(words) - 12)}, sketch

started = time.process_time()
lsh, grams, sketches = MinHashLSH(threshold=0.8, num_perm=128), {}, {}
for row_id, question, passage in rows["valid"]:
    for part in (question, passage):
        found, sketch = read(part)
        for gram in found:
            grams.setdefault(gram, set()).add(row_id)
        sketches[row_id, part == passage] = sketch
        lsh.insert((row_id, part == passage), sketch)
shared, near = set(), set()
for _, question, passage in rows["train"]:
    for part in (question, passage):
        found, sketch = read(part)
        for gram in found:
            shared |= grams.get(gram, set())
        near |= {key[0] for key in lsh.query(sketch) if sketch.jaccard(sketches[key]) >= 0.8}
seconds = time.process_time() - started
print(json.dumps({"seconds": seconds, "found": {"shared_ngrams": sorted(shared), "near_duplicate": sorted(near)}}))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=138_000)
    parser.add_argument("--asked", type=int, default=10_000)
    parser.add_argument("--peer-rows", type=int, default=5_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _compare(folder, options.peer_rows, options.repeats)
        _write_rows(folder / "all", options.rows, options.asked)
        for name, code in (
            ("evaluation rows against training rows", OURS),
            ("duplicates in training rows", DUPLICATES),
        ):
            done = run_alone([sys.executable, "-c", START + code, str(folder / "all")])
            speed = f"{options.rows / done['seconds']:.0f} training rows/s"
            print(f"{name}: {done['seconds']:.1f} s, {speed}, peak memory {done['mebibytes']:.0f} MiB")


def _compare(folder: Path, rows: int, repeats: int) -> None:
    _write_rows(folder / "few", rows, rows // 10)
    venv.create(folder / "peer", with_pip=True)
    python = str(folder / "peer" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], check=True)
    speeds: dict[str, list[float]] = {"this project": [], "one row at a time": []}
    for _ in range(repeats):
        ours = run_alone([sys.executable, "-c", START + OURS, str(folder / "few")])
        theirs = run_alone([python, "-c", START + THEIRS, str(folder / "few")])
        for name, done in zip(speeds, (ours, theirs), strict=True):
            speeds[name].append(rows / done["seconds"])
    for name, measured in speeds.items():
        spread = f"{min(measured):.0f} to {max(measured):.0f}"
        print(f"{name:18} median {statistics.median(measured):8.0f} training rows/s  ({spread})")
    ratio = statistics.median(speeds["this project"]) / statistics.median(speeds["one row at a time"])
    print(f"ratio: {ratio:.0f} x")
    for kind, found in ours["found"].items():
        other = theirs["found"][kind]
        print(f"{kind}: {len(found)} and {len(other)} rows, {len(set(found) & set(other))} of them the same")


def _write_rows(folder: Path, rows: int, asked: int) -> None:
    """Write tables and passages, and the same rows as JSON lines."""
    random = np.random.default_rng(5)
    letters = np.array(list("eeeetttaaaooiinnsshhrrdlcumwfgypbvk"))
    words = np.array(["".join(random.choice(letters, length)) for length in random.integers(2, 10, VOCABULARY)], object)
    often = np.cumsum(1 / np.arange(3, VOCABULARY + 3))

    def drawn(count: int) -> list[str]:
        return words[np.searchsorted(often, random.random(count) * often[-1])].tolist()

    planted: list[list[str]] = []
    for split, count in (("train", rows), ("valid", asked)):
        made = []
        for number in range(count):
            passage = drawn(PASSAGE_WORDS)
            if split == "train" and number < asked // 50:
                planted.append(passage)
            elif split == "valid" and number < len(planted):
                copy = planted[number]
                passage = [*copy[:200], "changed", *copy[201:]] if number % 2 else passage[:300] + copy[:20]
            made.append((f"b/{split}/{number}", f"{' '.join(drawn(QUESTION_WORDS))}?", f"{' '.join(passage)}."))
        _write_split(folder, split, made)


def _write_split(folder: Path, split: str, made: list[tuple[str, str, str]]) -> None:
    import polars as pl

    frame = pl.DataFrame(made, schema=["row_id", "question", "passage"], orient="row")
    parts = {
        f"tables/questions/{split}": frame.select("row_id", "question", id="row_id", answer=pl.lit("a")),
        f"tables/answers/{split}": frame.select(
            "row_id", alias=pl.lit("a"), normalised=pl.lit(value=True), human=pl.lit(value=False)
        ),
        f"passages/{split}": frame.select("row_id", "passage", group="row_id"),
    }
    for name, part in parts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        part.write_parquet(folder / f"{name}.parquet", row_group_size=ROWS_A_GROUP)
    with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(row)}\n" for row in made)


if __name__ == "__main__":
    main()
