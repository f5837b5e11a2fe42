"""Answers in free text: this project beside lm-eval's `generate_until`.

    python benchmarks/generation.py [--questions 32] [--batch 16] [--repeats 3] [--peer FOLDER]

A GPT-2 of random weights in fp32, whose end is made likely enough that most answers are short; prompts as long and
as ragged as those of TriviaQA with a passage; at most 32 tokens, the likeliest at each step. Each in a process of its
own on one core, turn by turn, from questions as text to answers as text: ours by the way that predictions go, the row
cache included; lm-eval from PyPI, in an environment of its own above the same torch and transformers. Prints questions
a second of processor time, the ratio, the peak memory, and how many answers are the same.
"""

from __future__ import annotations

import numpy as np
from beside_lm_eval import THEIRS, arguments, ragged, take_turns, words

MAX_NEW_TOKENS = 32
GENERATE = f"""
started = time.process_time()
given = [(row["instruction"], {{"until": [end], "max_gen_toks": {MAX_NEW_TOKENS}, "do_sample": False}}) for row in rows]
told = lm.generate_until(instances("generate_until", given), disable_tqdm=True)
report(time.process_time() - started, [[answer] for answer in told])
"""


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__, questions=32, batch=16)
    random = np.random.default_rng(7)
    rows = [
        {"instruction": words(random, ragged(random, 450, 0.5, 60, 950)), "choices": []}
        for _ in range(options.questions)
    ]
    print(f"{len(rows)} questions, {sum(len(row['instruction'].split()) for row in rows)} tokens of prompts; one core")
    told = {"max_new_tokens": MAX_NEW_TOKENS}
    ours, theirs = take_turns(options, rows, THEIRS + GENERATE, told, end_scale=8.0)
    same = sum(mine[0].split() == other[0].split() for mine, other in zip(ours, theirs, strict=True))
    lengths = [len(mine[0].split()) for mine in ours]
    print(
        f"{same} of {len(rows)} answers are the same; {np.mean(lengths):.1f} tokens in the mean, {max(lengths)} at most"
    )


if __name__ == "__main__":
    main()
