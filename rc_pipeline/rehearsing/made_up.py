"""Rows made up in a dataset's format, for a rehearsal before the real files are there."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rc_pipeline.catalog import Dataset
from rc_pipeline.corpora.sample_world import write_cosmos

# A hundredth of them, which some datasets hold out, is still a few.
ROWS = 400
ASKED = 40
Story = Mapping[str, str]


def made_up_source(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Write files of the dataset's format into `folder` and return them as a source of the catalog."""
    if dataset.format in {"cosmos_qa", "trivia_qa"}:
        return {"sample": {"seed": 1, "train": ROWS, "valid": ASKED, "test": ASKED}}
    folder.mkdir(parents=True)
    stories = list(_stories(folder))
    if dataset.format in {"mmlu", "bigbench"}:
        _FOLDERS[dataset.format](folder / "tasks", stories)
        return {"files": {"tasks": str(folder / "tasks")}}
    files: dict[str, str] = {}
    for number, split in enumerate(split for split in dataset.facts.splits if split not in dataset.holdout):
        rows = stories[number * ASKED :][: ROWS if split in dataset.train_splits else ASKED]
        name, text = _file(dataset, split, rows)
        (folder / name).write_text(text, encoding="utf-8")
        files[name] = str(folder / name)
    return {"files": files}


def _stories(folder: Path) -> Iterator[Story]:
    """Yield stories of the sample world with a question, its options and the right one."""
    paths = write_cosmos(folder / "stories", seed=1, train=ROWS + 4 * ASKED, valid=1, test=1)
    with paths[0].open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield row | {"answer": row[f"answer{row['label']}"]}


def _file(dataset: Dataset, split: str, rows: Sequence[Story]) -> tuple[str, str]:
    if dataset.format == "parallel":
        return f"{split}.tsv", "".join(f"Train {n} is late .\t第{n}次列车晚点了。\n" for n in range(len(rows)))
    if dataset.format == "squad":
        return f"{split}.json", json.dumps({"version": "1.1", "data": [_squad(split, row) for row in rows]})
    if dataset.format == "super_ni":
        return f"{split}.json", json.dumps(_super_ni(split, rows))
    if dataset.format == "records":
        made = [{theirs: _value(ours, row) for ours, theirs in dataset.columns.items()} for row in rows]
    else:
        made = [_TALK[dataset.format](row) for row in rows]
    return f"{split}.json", json.dumps(made, ensure_ascii=False)


def _value(column: str, row: Story) -> str:
    """Return what a column of this name might hold."""
    if column in row:
        return row[column]
    if re.search(r"passage|context|text|article|document|input|source", column):
        return row["context"]
    option = re.fullmatch(r"\D+([0-3])", column)
    return row[f"answer{option[1]}"] if option else row["question"]


def _alpaca(row: Story) -> dict[str, Any]:
    return {"instruction": row["question"], "input": row["context"], "output": row["answer"]}


def _sharegpt(row: Story) -> dict[str, Any]:
    asked = f"{row['context']}\n{row['question']}"
    return {"conversations": [{"from": "human", "value": asked}, {"from": "gpt", "value": row["answer"]}]}


def _openai(row: Story) -> dict[str, Any]:
    asked = f"{row['context']}\n{row['question']}"
    return {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": row["answer"]}]}


_TALK: dict[str, Callable[[Story], dict[str, Any]]] = {"alpaca": _alpaca, "sharegpt": _sharegpt, "openai": _openai}


def _squad(split: str, row: Story) -> dict[str, Any]:
    answer = row["context"].split()[0]
    asked = {
        "id": f"{split} {row['id']}",
        "question": row["question"],
        "answers": [{"text": answer, "answer_start": 0}],
    }
    return {"title": row["id"], "paragraphs": [{"context": row["context"], "qas": [asked]}]}


def _super_ni(split: str, rows: Sequence[Story]) -> dict[str, Any]:
    instances = [
        {"id": f"{split}-{number}", "input": f"{row['context']}\n{row['question']}", "output": [row["answer"]]}
        for number, row in enumerate(rows)
    ]
    return {
        "Definition": ["Answer the question about the story."],
        "Positive Examples": [],
        "Negative Examples": [],
        "Instances": instances,
    }


def _mmlu(folder: Path, rows: Sequence[Story]) -> None:
    for number, (place, split) in enumerate((("dev", "dev"), ("val", "valid"), ("test", "test"))):
        (folder / place).mkdir(parents=True)
        with (folder / place / f"stories_{place}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            for row in rows[number * ASKED :][: 5 if split == "dev" else ASKED]:
                options = [row[f"answer{option}"] for option in range(4)]
                writer.writerow([f"{row['context']} {row['question']}", *options, "ABCD"[int(row["label"])]])


def _bigbench(folder: Path, rows: Sequence[Story]) -> None:
    (folder / "stories").mkdir(parents=True)
    examples = [
        {
            "input": f"{row['context']}\n{row['question']}",
            "target_scores": {row[f"answer{option}"]: int(str(option) == row["label"]) for option in range(4)},
        }
        for row in rows[:ASKED]
    ]
    told = json.dumps({"name": "stories", "examples": examples})
    (folder / "stories" / "task.json").write_text(told, encoding="utf-8")


_FOLDERS: dict[str, Callable[[Path, Sequence[Story]], None]] = {"mmlu": _mmlu, "bigbench": _bigbench}
