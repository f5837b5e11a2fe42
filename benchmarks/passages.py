"""Choosing passages: this project beside a ranking library called once a question.

    python benchmarks/passages.py [--questions 1000] [--asked 60] [--repeats 3]

Makes tables in the layout of TriviaQA: documents of 14 KB in the mean with a long tail, about seven a
question, words as frequent as in English. Then, each in a process of its own on one core, turn by turn:
the whole stage (reading, ranking, recall, checks, files), and for `--asked` of the questions what a
straightforward script does with the documents already in memory: fit scikit-learn's TfidfVectorizer, or
build a bm25s index, on the question's windows, and rank them. Prints question-document pairs a second of
processor time, the ratio, and the most memory that the stage held.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from measuring import run_alone

PEERS = ("scikit-learn==1.9.1", "bm25s==0.3.16")
VOCABULARY, MEAN_CHARACTERS, DOCUMENTS_A_QUESTION, ALIASES = 60_000, 14_000, 7, 12
DOCUMENTS_A_GROUP = 2_000
TOKENS, WINDOW_TOKENS = 512, 100
ONE_CORE = """
import json, os, sys, time
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
"""
OURS = """
from pathlib import Path
from rc_pipeline.passages.build import build_passages
folder, tokens, window = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
started = time.process_time()
outcome = build_passages(dataset="b", tables=folder / "tables", splits=["web-dev"], train_splits=[], tokens=tokens,
                         window_tokens=window, out=folder / "out", scratch=folder / "scratch")
seconds = time.process_time() - started
assert all(check.passed for check in outcome.checks), outcome.checks
peak = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
print(json.dumps({"seconds": seconds, "mebibytes": int(peak) / 1024,
                  "recall": outcome.metadata["answers in the passages"]["markdown"]}))
"""
THEIRS = """
import re
from pathlib import Path
asked, peer, tokens = json.loads((Path(sys.argv[1]) / "asked.json").read_text()), sys.argv[2], int(sys.argv[3])

def windows(documents, words=75):
    for document in documents:
        waiting = []
        for sentence in re.split(r"(?<=[.!?])\\s+", document):
            waiting.append(sentence)
            if sum(map(len, waiting)) > 6 * words:
                yield " ".join(waiting)
                waiting = []
        yield " ".join(waiting)

def sklearn(question, texts):
    from sklearn.feature_extraction.text import TfidfVectorizer
    vectorizer = TfidfVectorizer(strip_accents="unicode", stop_words="english")
    matrix = vectorizer.fit_transform(texts)
    return (matrix @ vectorizer.transform([question]).T).toarray().ravel().argsort()[::-1]

def bm25(question, texts):
    import bm25s
    index = bm25s.BM25()
    index.index(bm25s.tokenize(texts, stopwords="en", show_progress=False), show_progress=False)
    found = bm25s.tokenize([question], stopwords="en", show_progress=False)
    return index.retrieve(found, k=len(texts), show_progress=False)[0][0]

rank = {"scikit-learn": sklearn, "bm25s": bm25}[peer]
rank("a first question warms up", ["one text or another", "warms the question"])
started = time.process_time()
for entry in asked:
    texts = list(windows(entry["documents"]))
    room, kept = tokens, []
    for at in rank(entry["question"], texts):
        cost = int(1.4 * len(texts[at].split()))
        if cost <= room:
            room -= cost
            kept.append(at)
    "\\n\\n".join(texts[at] for at in sorted(kept))
print(json.dumps({"seconds": time.process_time() - started, "pairs": sum(len(e["documents"]) for e in asked)}))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--asked", type=int, default=60, help="questions that the libraries are given")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pairs, characters = _write_tables(folder, options.questions, options.asked)
        print(f"{options.questions} questions, {pairs} pairs, {characters / 1e6:.0f} MB of documents; one core")
        speeds: dict[str, list[float]] = {"this project": [], "scikit-learn": [], "bm25s": []}
        python = _peers(folder) if options.asked else None
        for _ in range(options.repeats):
            ours = run_alone([sys.executable, "-c", ONE_CORE + OURS, str(folder), str(TOKENS), str(WINDOW_TOKENS)])
            speeds["this project"].append(pairs / ours["seconds"])
            for peer in ("scikit-learn", "bm25s") if python else ():
                theirs = run_alone([python, "-c", ONE_CORE + THEIRS, str(folder), peer, str(TOKENS)])
                speeds[peer].append(theirs["pairs"] / theirs["seconds"])
    base = statistics.median(speeds["this project"])
    for name, measured in speeds.items():
        if measured:
            median = statistics.median(measured)
            spread = f"{min(measured):.0f} to {max(measured):.0f}"
            print(f"{name:14} median {median:7.0f} pairs/s  ({spread})  this project: {base / median:5.1f} x")
    print(f"peak memory of the stage: {ours['mebibytes']:.0f} MiB\n{ours['recall']}")


def _peers(folder: Path) -> str:
    venv.create(folder / "peers", with_pip=True)
    python = str(folder / "peers" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)
    return python


def _write_tables(folder: Path, questions: int, asked: int) -> tuple[int, int]:
    """Write the tables, and the first questions with their documents for the libraries."""
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    from rc_pipeline.lake.frames import write_parquet

    world, tables = _World(), folder / "tables"
    (tables / "evidence").mkdir(parents=True)
    rows, answers, pages, given, waiting = [], [], [], [], []
    characters = count = 0
    schema = pa.schema({"evidence_id": pa.large_string(), "text": pa.large_string()})
    with pq.ParquetWriter(tables / "evidence" / "web.parquet", schema, compression="zstd") as writer:
        for number in range(questions):
            texts = list(world.documents())
            question, told = world.question(texts)
            row_id = f"b/web-dev/{number}"
            rows.append((row_id, question))
            answers += [(row_id, alias) for alias in told]
            names = [f"web/{count + at}.txt" for at in range(len(texts))]
            waiting += zip(names, texts, strict=True)
            if count and number % 2:  # now and then a page that another question cites
                names.append(f"web/{world.random.integers(count)}.txt")
            pages += [(row_id, at, "search", name) for at, name in enumerate(names)]
            count += len(texts)
            characters += sum(map(len, texts))
            if number < asked:
                given.append({"question": question, "documents": texts})
            if len(waiting) >= DOCUMENTS_A_GROUP or number == questions - 1:
                writer.write_table(pa.table(list(zip(*waiting, strict=True)), schema=schema))
                waiting = []
    for part, found, columns in (
        ("questions", rows, ["row_id", "question"]),
        ("answers", answers, ["row_id", "alias"]),
        ("pages", pages, ["row_id", "position", "kind", "evidence_id"]),
    ):
        write_parquet(pl.DataFrame(found, schema=columns, orient="row"), tables / part / "web-dev.parquet")
    (folder / "asked.json").write_text(json.dumps(given))
    return len(pages), characters


class _World:
    """Words as frequent as Zipf has it, in sentences and paragraphs."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(5)
        letters = np.array(list("eeeetttaaaooiinnsshhrrdlcumwfgypbvk"))
        lengths = np.clip(self.random.normal(6, 2.5, VOCABULARY), 1, 16).astype(int)
        lengths[:100] = np.clip(lengths[:100] // 2, 1, 4)
        self.words = np.array(["".join(self.random.choice(letters, length)) for length in lengths], dtype=object)
        self.words[::3] = [word.capitalize() for word in self.words[::3]]
        self.words[::97] = [word + "é" for word in self.words[::97]]
        self.often = np.cumsum(1 / np.arange(3, VOCABULARY + 3))
        self.often /= self.often[-1]

    def _drawn(self, count: int) -> np.ndarray:
        return self.words[np.searchsorted(self.often, self.random.random(count))]

    def documents(self) -> Iterator[str]:
        """Yield the documents of a question, each with words of its own topic."""
        topic = self._drawn(30)
        for _ in range(max(1, self.random.poisson(DOCUMENTS_A_QUESTION - 0.5))):
            # Log-normal lengths with this spread have a mean of exp(1/2) medians.
            words = max(20, int(self.random.lognormal(np.log(MEAN_CHARACTERS / 5.1) - 0.5, 1.0)))
            drawn = np.where(self.random.random(words) < 0.03, self.random.choice(topic, words), self._drawn(words))
            ends = np.where(self.random.random(words) < 1 / 18, ". ", " ")
            ends[(ends == ". ") & (self.random.random(words) < 0.2)] = ".\n\n"
            ends[(ends == " ") & (self.random.random(words) < 0.06)] = ", "
            ends[(ends == " ") & (self.random.random(words) < 0.01)] = " — “"
            yield "".join(np.stack([drawn, ends.astype(object)], axis=1).ravel())

    def question(self, texts: list[str]) -> tuple[str, list[str]]:
        """Return a question about a sentence of one document, and the spellings of its answer."""
        text = texts[self.random.integers(len(texts))].split()
        at = int(self.random.integers(0, max(1, len(text) - 14)))
        said = text[at : at + 14]
        answer = " ".join(said[:2]).strip(".,")
        asked = [said[int(place)] for place in sorted(self.random.choice(range(2, len(said)), 8, replace=False))]
        aliases = [answer, answer.lower(), *(" ".join(self._drawn(2)) for _ in range(ALIASES - 2))]
        return f"Which {' '.join(asked)}?", aliases


if __name__ == "__main__":
    main()
