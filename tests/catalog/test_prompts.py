from __future__ import annotations

import json

import pytest

from rc_pipeline.prompting.template import Prompt
from tests.catalog.conftest import PROMPT, Desk

FULL = json.loads(PROMPT) | {
    "prompt_input": "{system}{instruction}\n{input}\nAnswer:",
    "prompt_no_input": "{system}{instruction}\nAnswer:",
    "system": "{system}\n",
    "default_system": "Be brief.",
    "answer": " {output}",
    "turn": "{prompt}{answer}\n",
    "separator": "\n---\n",
    "strip": True,
}


@pytest.mark.parametrize(
    ("change", "field", "remedy"),
    [
        ({"system": "none"}, "system", "{system} is missing"),
        ({"answer": "{input}"}, "answer", "{output} is missing"),
        ({"answer": "{output}{output}"}, "answer", "2 times"),
        ({"turn": "{prompt}"}, "turn", "{answer} is missing"),
        ({"turn": "{prompt}{answer}{round}"}, "turn", "no placeholder here; use {answer} and {prompt}"),
        ({"turn": "{prompt}{answer}\\n"}, "turn", r"\n, not \\n"),
        ({"prompt_no_input": "{instruction}\nAnswer:"}, "prompt_no_input", "has no {system}"),
        ({"default_system": ""}, "default_system", "empty; write it"),
        ({"strip": "yes"}, "strip", "boolean"),
        ({"chat_template": "tokenizer"}, "turn", "the tokenizer's chat template says it all"),
        ({"chat_template": "{{ messages }}"}, "chat_template", "one of tokenizer"),
    ],
)
def test_places_that_cannot_be_used_are_named_with_the_remedy(
    desk: Desk, change: dict[str, object], field: str, remedy: str
) -> None:
    desk.write("prompts/plain.json", json.dumps(FULL | change))
    problems = desk.problems()
    assert [remedy in problem.remedy for problem in problems if problem.field == field] == [True]


def test_a_template_without_its_prompts_names_each(desk: Desk) -> None:
    desk.write("prompts/plain.json", "{}")
    assert {problem.field for problem in desk.problems()} == {"prompt_input", "prompt_no_input", "response_split"}


def test_a_template_says_what_its_file_says_and_nothing_else(desk: Desk) -> None:
    for written in (json.loads(PROMPT), FULL, {"chat_template": "tokenizer"}):
        desk.write("prompts/plain.json", json.dumps(written))
        said = desk.load().prompts["plain"].model_dump(mode="json", exclude={"description"})
        assert said == written
    assert Prompt.from_dict(FULL, "plain").to_dict() == FULL | {"name": "plain"}
