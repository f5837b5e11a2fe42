"""Likelihoods of options: this project beside lm-eval's Hugging Face backend.

    python benchmarks/choices.py [--questions 48] [--batch 8] [--repeats 3] [--peer FOLDER]

A GPT-2 of random weights in fp32; prompts as long as Cosmos QA's with their options in them, four options of about
ten tokens. Each in a process of its own on one core, turn by turn, from questions as text to log-likelihoods: ours
by the way that predictions go, the row cache included; lm-eval from PyPI, in an environment of its own above the
same torch and transformers. Prints questions a second of processor time, the ratio, the peak memory, and by how much
the log-likelihoods differ at most.
"""

from __future__ import annotations

from itertools import chain

import numpy as np
from beside_lm_eval import THEIRS, arguments, ragged, take_turns, words

LOG_LIKELIHOODS = """
started = time.process_time()
given = [(row["instruction"], f" {choice}{end}") for row in rows for choice in row["choices"]]
told = iter(lm.loglikelihood(instances("loglikelihood", given), disable_tqdm=True))
found = [["", *(next(told)[0] for _ in row["choices"])] for row in rows]
report(time.process_time() - started, found)
"""


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__, questions=48, batch=8)
    random = np.random.default_rng(7)
    rows = [
        {
            "instruction": words(random, ragged(random, 180, 0.35, 48, 500)),
            "choices": [words(random, int(np.clip(random.poisson(9), 2, 40))) for _ in range(4)],
        }
        for _ in range(options.questions)
    ]
    print(f"{len(rows)} questions, {sum(len(row['instruction'].split()) for row in rows)} tokens of prompts; one core")
    ours, theirs = take_turns(options, rows, THEIRS + LOG_LIKELIHOODS, {}, end_scale=1.0)
    apart = [abs(mine - other) for mine, other in zip(_logs(ours), _logs(theirs), strict=True)]
    print(f"log-likelihoods of {len(apart)} options differ by {max(apart):.2g} at most")


def _logs(found: list[list]) -> list[float]:
    return list(chain.from_iterable(row[1:] for row in found))


if __name__ == "__main__":
    main()
