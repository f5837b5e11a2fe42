"""Scoring TriviaQA: this project beside a plain Python scorer that loops as the official one does.

    python benchmarks/scoring.py [--questions 7993] [--repeats 3]

The loop normalises both sides at every comparison and gathers the marks anew each time, as that one does.

Makes as many keys as Web-dev has (68,621: questions asked on about nine pages each), fourteen aliases a question in
the mean with a long tail, and predictions that are right, half right, verbose or wrong. Both get the same objects in
memory, answers and predictions by key, and end with exact match and F1; each runs in a process of its own on one
core, turn by turn. Prints keys a second of processor time, the ratio, and whether the numbers are equal to the last
digit. Ours is timed once more with its intervals (2,000 resamples), which the loop does not have.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from measuring import run_alone

QUESTIONS, KEYS, ALIASES, VOCABULARY = 7_993, 68_621, 14, 40_000
SHARED = """
import json, os, sys, time
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
from pathlib import Path
made = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
predictions = made["predictions"]
"""
OURS = """
from rc_pipeline.official.trivia import MEASURES, Predictions, Questions, evaluate, verdicts
# Libraries load at the first call.
evaluate(Questions({"warm": 0}, [["up"]]), Predictions({}, [], []))
asked = Questions(made["keys"], made["accepted"])
started = time.process_time()
judged = verdicts(asked, predictions)
found = {measure.name: measure.value(judged) for measure in MEASURES}
seconds = time.process_time() - started
started = time.process_time()
whole = evaluate(asked, Predictions(predictions, [], []))
assert {name: whole[name] for name in found} == found
print(json.dumps({"seconds": seconds, "whole": time.process_time() - started, **found}))
"""
THEIRS = """
import re, string
from collections import Counter

def normal(text):
    marks = set(string.punctuation + "‘’´`")
    text = text.replace("_", " ").lower()
    text = "".join(" " if character in marks else character for character in text)
    return " ".join(re.sub(r"\\b(a|an|the)\\b", " ", text).split())

def f1_score(said, gold):
    said, gold = normal(said).split(), normal(gold).split()
    same = sum((Counter(said) & Counter(gold)).values())
    if same == 0:
        return 0
    precision, recall = same / len(said), same / len(gold)
    return (2 * precision * recall) / (precision + recall)

answers = {key: made["accepted"][at] for key, at in made["keys"].items()}
started = time.process_time()
exact = f1 = 0
for key, golds in answers.items():
    if key in predictions:
        exact += max(normal(predictions[key]) == normal(gold) for gold in golds)
        f1 += max(f1_score(predictions[key], gold) for gold in golds)
exact, f1 = 100.0 * exact / len(answers), 100.0 * f1 / len(answers)
print(json.dumps({"seconds": time.process_time() - started, "exact_match": exact, "f1": f1}))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=QUESTIONS)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "made.json"
        keys = _write(file, options.questions)
        ours, theirs = [], []
        for _ in range(options.repeats):
            ours.append(run_alone([sys.executable, "-c", SHARED + OURS, str(file)]))
            theirs.append(run_alone([sys.executable, "-c", SHARED + THEIRS, str(file)]))
    print(f"{keys} keys of {options.questions} questions; one core")
    for name, runs in (("this project", ours), ("plain loop", theirs)):
        speeds = [keys / run["seconds"] for run in runs]
        print(f"{name:13} median {statistics.median(speeds):9.0f} keys/s  ({min(speeds):.0f} to {max(speeds):.0f})")
    ratio = statistics.median(run["seconds"] for run in theirs) / statistics.median(run["seconds"] for run in ours)
    whole = statistics.median(run["whole"] for run in ours)
    print(f"ratio {ratio:.1f} x; {whole:.2f} s with intervals of 95 %")
    equal = {(run["exact_match"], run["f1"]) for run in (*ours, *theirs)}
    print("equal to the last digit:" if len(equal) == 1 else "DIFFERENT:", *equal)
    sys.exit(len(equal) != 1)


def _write(file: Path, questions: int) -> int:
    """Write keys, accepted answers and predictions; return how many keys there are."""
    random = np.random.default_rng(7)
    letters = np.array(list("eeettaaooiinnsshhrrdlcumwfgypbvk"))
    words = np.array(
        ["".join(random.choice(letters, length)) for length in random.integers(2, 11, VOCABULARY)], dtype=object
    )
    words[::61] = [word + "é" for word in words[::61]]
    often = np.cumsum(1 / np.arange(3, VOCABULARY + 3))

    def phrase(least: int = 1) -> str:
        count = least + random.geometric(0.45) - 1
        return " ".join(words[np.searchsorted(often, random.random(count) * often[-1])])

    # Log-normal: some answers, such as countries, have a hundred spellings.
    counts = np.maximum(1, random.lognormal(np.log(ALIASES) - 0.32, 0.8, questions)).astype(int)
    accepted = [[phrase() for _ in range(count)] for count in counts]
    pages = 1 + random.poisson(KEYS / QUESTIONS - 1, questions)
    keys, predictions = {}, {}
    for at, many in enumerate(pages):
        for page in range(many):
            key = f"q_{at}--{at % 100}/{at}_{page}.txt"
            keys[key] = at
            gold, kind = accepted[at][random.integers(len(accepted[at]))], random.random()
            if kind < 0.45:
                predictions[key] = gold.title() + "."
            elif kind < 0.6:
                predictions[key] = f"The {gold.split()[0]} {phrase()}"
            elif kind < 0.65:
                predictions[key] = f"It was {gold}, of “{phrase(8)}”"
            elif kind < 0.99:
                predictions[key] = phrase()
    file.write_text(json.dumps({"keys": keys, "accepted": accepted, "predictions": predictions}), encoding="utf-8")
    return len(keys)


if __name__ == "__main__":
    main()
