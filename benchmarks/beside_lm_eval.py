"""What the benchmarks beside lm-eval share: a GPT-2 of random weights, questions of words, turns on one core."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from measuring import run_alone

LM_EVAL = "lm_eval==0.4.13"
VOCABULARY, END = 50_257, 50_256
PROMPT = {
    "name": "bare",
    "prompt_input": "{instruction}{input}",
    "prompt_no_input": "{instruction}",
    "response_split": "Answer:",
    "answer": " {output}",
}
ONE_CORE = """
import json, os, sys, time
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
from pathlib import Path
import torch
torch.set_num_threads(1)
folder, batch, more = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])

def warm(model):
    import polars
    with torch.inference_mode():
        model(torch.ones(1, 64, dtype=torch.long))

def report(seconds, found):
    peak = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    print(json.dumps({"seconds": seconds, "gibibytes": int(peak) / 2**20, "found": found}))
"""
OURS = f"""
from rc_pipeline.models.loading import load_tokenizer
from rc_pipeline.prediction.answering import Answerer
from rc_pipeline.prediction.asks import Decoding, asks_of
from rc_pipeline.prediction.questions import read_questions, select_rows
from rc_pipeline.prediction.row_cache import RowCache
from rc_pipeline.prompting.reading import read_prompt
from rc_pipeline.worker import Progress
import tempfile
answer = {{"batch_size": batch, "max_new_tokens": 1, **more}}
spec = {{"base": {{"folder": str(folder / "model"), "family": "gpt2"}}, "adapter": None, "answer": answer,
        "weights": "w", "cache_salt": "s"}}
tokenizer = load_tokenizer(folder / "model")
how = Decoding.of_spec(spec, {END})
answerer = Answerer(spec, tokenizer, how)
warm(answerer.model)
started = time.process_time()
form = read_prompt({PROMPT!r}, tokenizer)
rows = select_rows([str(folder / "questions.parquet")], None)
questions = read_questions(rows, tokenizer, form, max_tokens=1024, max_new_tokens=how.max_new_tokens)
asked = [[ask for own in asks_of(question, how).values() for ask in own][0] for question in questions]
with tempfile.TemporaryDirectory() as cache:
    cache = RowCache(Path(cache), weights="w", salt="s")
    known = answerer.answer({{ask.key: ask for ask in asked}}, cache, Progress("", lambda _: None))
found = [known[ask.key] for ask in asked]
report(time.process_time() - started, [[result.answer, *result.log_probabilities] for result in found])
"""
# The model is handed over as it is loaded here, so that both compute in fp32 with the same attention.
THEIRS = """
import logging
logging.disable(logging.WARNING)
import polars
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from rc_pipeline.models.loading import load_model, load_tokenizer
model, tokenizer = load_model(folder / "model", family="gpt2"), load_tokenizer(folder / "model")
lm = HFLM(pretrained=model, tokenizer=tokenizer, backend="causal", batch_size=batch, device="cpu")
rows = polars.read_parquet(folder / "questions.parquet").sort("instruction_id").to_dicts()
end = tokenizer.eos_token
warm(model)

def instances(kind, arguments):
    return [Instance(kind, {}, given, number) for number, given in enumerate(arguments)]
"""


def arguments(description: str, questions: int, batch: int) -> argparse.Namespace:
    """Read what a benchmark is told."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=questions)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batch", type=int, default=batch, help="questions (ours) or requests (lm-eval) at a time")
    parser.add_argument("--peer-batch", type=int, help="of lm-eval alone")
    parser.add_argument("--peer", type=Path, help="folder of an environment with lm-eval, made if it is not there")
    return parser.parse_args()


def take_turns(
    options: argparse.Namespace, rows: Sequence[dict], theirs: str, more: dict, end_scale: float
) -> tuple[list[list], list[list]]:
    """Measure both turn by turn, print the speeds and their ratio, and return what each found."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _write_model(folder / "model", end_scale)
        _write_questions(folder / "questions.parquet", rows)
        peer = _environment(options.peer or folder / "peer")
        shared = [str(folder), str(options.batch), json.dumps(more)]
        other = [str(folder), str(options.peer_batch or options.batch), "{}"]
        runs = {
            "this project": [sys.executable, "-c", ONE_CORE + OURS, *shared],
            "lm-eval": [peer, "-c", ONE_CORE + theirs, *other],
        }
        found: dict[str, list[dict]] = {name: [] for name in runs}
        for _ in range(options.repeats):
            for name, command in runs.items():
                found[name].append(run_alone(command))
    ours = statistics.median(run["seconds"] for run in found["this project"])
    for name, measured in found.items():
        seconds = [run["seconds"] for run in measured]
        print(
            f"{name:13} median {len(rows) / statistics.median(seconds):6.2f} questions/s "
            f"({len(rows) / max(seconds):.2f} to {len(rows) / min(seconds):.2f})  "
            f"this project: {statistics.median(seconds) / ours:4.2f} x  "
            f"peak {max(run['gibibytes'] for run in measured):.2f} GiB"
        )
    return found["this project"][0]["found"], found["lm-eval"][0]["found"]


def words(random: np.random.Generator, count: int) -> str:
    """Return words as frequent as words are, each of which is a token."""
    often = 1 / np.arange(3, END + 2)
    return " ".join(f"w{number}" for number in random.choice(END - 1, count, p=often / often.sum()))


def ragged(random: np.random.Generator, median: int, spread: float, least: int, most: int) -> int:
    """Return a length, most of them short and some long."""
    return int(np.clip(random.lognormal(np.log(median), spread), least, most))


def _write_questions(path: Path, rows: Sequence[dict]) -> None:
    import polars as pl

    nothing = {"template": "t", "input": "", "passage_start": None, "passage_end": None, "output": None}
    named = [
        {"instruction_id": f"{at:05}", "row_id": f"{at:05}", "order": at, **nothing, **row}
        for at, row in enumerate(rows)
    ]
    pl.DataFrame(named, schema_overrides={"choices": pl.List(pl.String)}).write_parquet(path)


def _write_model(folder: Path, end_scale: float) -> None:
    """Write GPT-2 with random weights, its end likelier the larger `end_scale` is, and a tokenizer of words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config())
    with torch.no_grad():
        model.transformer.wte.weight[END] *= end_scale
    model.save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({**{f"w{i}": i for i in range(END)}, "<end>": END}, unk_token="w0"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>").save_pretrained(folder)  # noqa: S106


def _environment(folder: Path) -> str:
    """Make an environment with lm-eval, above the packages that this one has."""
    import torch

    python = folder / "bin" / "python"
    if not python.is_file():
        venv.create(folder, with_pip=True)
        own = next((folder / "lib").glob("python*/site-packages"))
        # addsitedir, so that an editable install of this project is seen as well.
        shared = Path(torch.__file__).parents[1]
        (own / "shared.pth").write_text(f"import site; site.addsitedir({str(shared)!r})\n")
        subprocess.run([python, "-m", "pip", "install", "--quiet", LM_EVAL], check=True)
    return str(python)
