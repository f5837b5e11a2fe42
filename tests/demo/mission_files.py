"""What the studies of the mission ask for in the inbox: every file in its upstream layout, but small."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from rc_pipeline.corpora.sample_world import write_cosmos, write_trivia
from tests.corpora.raw_archives import tar_bytes
from tests.models import upstream

# Positions that GPT-2 has weights for; a tiny tokenizer writes a word in several tokens.
POSITIONS = 4096
PLACES = ("杭州", "苏州", "泉州", "洛阳", "大理")
PEOPLE = ("林小雨", "陈大河", "王青")


def write_inbox(inbox: Path) -> None:
    """Write the datasets of the mission's studies, and tiny models in the layouts of the real ones."""
    write_cosmos(inbox / "cosmos_qa", seed=5, train=16, valid=6, test=2)
    write_trivia(inbox / "trivia_qa", seed=5, train=16, dev=6, test=2)
    _alpaca(inbox / "alpaca" / "alpaca_data.json")
    _news_commentary(inbox / "news_commentary" / "news-commentary.en-zh.tsv")
    _mmlu(inbox / "mmlu" / "data.tar")
    _bigbench(inbox / "bigbench")
    _my_data(inbox / "my_data" / "train.csv")
    models = inbox / "models"
    models.mkdir()
    upstream.write_minicpm(models / "minicpm_2b", shards=2)
    upstream.write_chatglm2(models / "chatglm2_6b")
    upstream.write_llama2(models / "llama2_7b")
    upstream.write_vicuna(models / "vicuna_7b")
    upstream.write_vicuna(models / "bayling2_7b")
    upstream.write_gpt2(models / "gpt2", positions=POSITIONS)
    upstream.write_flan_t5(models / "flan_t5_base")


def _alpaca(path: Path) -> None:
    rows = [
        {"instruction": f"Name the number after {n}.", "input": "" if n % 3 else "In words.", "output": f"{n + 1}"}
        for n in range(400)
    ]
    _write(path, json.dumps(rows, indent=4))


def _news_commentary(path: Path) -> None:
    lines = [f"In {n} there were {n % 7 + 2} banks.\t{n} 年有 {n % 7 + 2} 家银行。" for n in range(1800, 2200)]
    # An empty line between two pieces.
    lines[40::40] = ["\t"] * len(lines[40::40])
    _write(path, "\n".join(lines) + "\n")


def _mmlu(path: Path) -> None:
    def paper(about: str) -> bytes:
        rows = [f'"In {about}, what is {n} and {n}?",{n},{2 * n},{3 * n},{n + 7},B' for n in range(1, 6)]
        return "\n".join(rows).encode() + b"\n"

    parts = [(split, subject) for split in ("dev", "val", "test") for subject in ("astronomy", "formal_logic")]
    papers = [(f"data/{split}/{subject}_{split}.csv", paper(f"{subject}, {split}")) for split, subject in parts]
    path.parent.mkdir(parents=True)
    path.write_bytes(tar_bytes([("data/README.txt", b"MMLU\n"), *papers]))


def _bigbench(folder: Path) -> None:
    options = "\nOptions:\n(A) Monday\n(B) Friday"
    tasks = {
        "boolean_expressions": [{"input": f"not True and ( {n} ) is", "target": "False"} for n in range(3)],
        "date_understanding": [{"input": f"Day {n} is which day?{options}", "target": "(B)"} for n in range(3)],
    }
    for task, examples in tasks.items():
        _write(folder / f"{task}.json", json.dumps({"canary": "not for training", "examples": examples}))


def _my_data(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(["编号", "文章", "问题", "答案"])
        for n in range(60):
            who, where = PEOPLE[n % 3], PLACES[n % 5]
            told, asked = f"{who}在{1950 + n}年搬到{where}，住了{n + 1}年。", f"{who}在{1950 + n}年搬到了哪里？"
            table.writerow([n, told, asked, where])


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
