from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rc_pipeline.catalog import Catalog, CatalogError, Problem, load_catalog

PROMPT = r"""{
  "prompt_input": "{instruction}\n{input}\nAnswer:",
  "prompt_no_input": "{instruction}\nAnswer:",
  "response_split": "Answer:"
}"""
FILES = {
    "datasets/stories.yaml": """\
title: Stories
owners: [team:readers, who@example.org]
format: cosmos_qa
source: {sample: {seed: 1, train: 10, valid: 5, test: 5}}
""",
    "datasets/quiz.yaml": """\
title: Quiz
format: trivia_qa
source: {files: {triviaqa-rc.tar.gz: quiz/triviaqa-rc.tar.gz}}
passages: {tokens: 50}
""",
    "tasks/stories/choose.yaml": """\
instruction: Choose.
input: "{{ context }} {{ question }}"
choices: ["{{ answer0 }}", "{{ answer1 }}"]
label: "{{ label }}"
output: "{{ choices[label] }}"
""",
    "tasks/stories/other.yaml": """\
use: [train]
instruction: "{{ question }}"
input: "{{ context }}"
choices: [A, B]
label: "{{ label }}"
output: "{{ 'AB'[label] }}"
""",
    "tasks/quiz/answer.yaml": """\
instruction: Answer.
input: "{{ passage }} {{ question }}"
output: "{{ answer }}"
""",
    "prompts/plain.json": PROMPT,
    "prompts/chat.json": PROMPT,
    "models/tiny.yaml": """\
title: Tiny
family: llama
source: {shipped: rc_tiny}
prompt: plain
context_tokens: 512
""",
    "models/big.yaml": f"""\
title: Big
family: gpt2
source: {{hub: owner/name, revision: {"0123456789" * 4}}}
prompt: chat
context_tokens: 1024
""",
    "studies/first.yaml": """\
title: First
train_on: {stories: all, quiz: 100}
evaluate_on: [stories/valid]
runs:
  base: {model: tiny}
  tuned: {model: tiny, tune: {rank: 4, learning_rate: 5e-3}}
ablations:
  rank: {of: tuned, vary: {tune.rank: [4, 8]}}
""",
}


class Desk:
    """A small catalog on disk that a test edits."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for file, text in FILES.items():
            self.write(file, text)

    def write(self, file: str, text: str | bytes) -> None:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def edit(self, file: str, old: str, new: str) -> None:
        text = (self.root / file).read_text(encoding="utf-8")
        assert old in text, f"{file} does not hold {old}"
        self.write(file, text.replace(old, new))

    def add(self, file: str, text: str) -> None:
        self.write(file, (self.root / file).read_text(encoding="utf-8") + text)

    def load(self) -> Catalog:
        return load_catalog(self.root)

    def problems(self) -> list[Problem]:
        with pytest.raises(CatalogError) as error:
            self.load()
        return error.value.problems


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "catalog")


@pytest.fixture(scope="session")
def desk_at() -> Callable[[Path], Desk]:
    return Desk
