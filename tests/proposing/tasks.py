"""A task of four options, and proposals for it, good and bad."""

from __future__ import annotations

import json
from typing import Any

from rc_pipeline.catalog.tasks import TaskTemplate
from rc_pipeline.proposing.judging import Task

OPTIONS = "- {{ answer0 }}\n- {{ answer1 }}"
COLUMNS = ("context", "question", "answer0", "answer1", "label")
COMMON: dict[str, Any] = {
    "choices": ["{{ answer0 }}", "{{ answer1 }}"],
    "label": "{{ label }}",
    "output": "{{ choices[label] }}",
}
TASK = Task(
    folder="stories",
    columns=COLUMNS,
    passage_column="context",
    templates={
        "choose": TaskTemplate(
            instruction="Read the story and choose the best answer to the question.",
            input="{{ context }}\n\nQuestion: {{ question }}\n" + OPTIONS,
            **COMMON,
        ),
        "letters": TaskTemplate(
            instruction="Which option is right? Reply with its letter alone.",
            input="{{ context }}\n{{ question }}\n(A) {{ answer0 }}\n(B) {{ answer1 }}",
            use=["train"],
            choices=["A", "B"],
            label="{{ label }}",
            output="{{ choices[label] }}",
        ),
    },
    rows=[
        {
            "row_id": f"s/{n}", "context": f"Mara bought {n} {{{{ braces }}}} loaves.", "question": "How many?",
            "answer0": str(n), "answer1": "none", "label": 0,
        }
        for n in range(3)
    ],
)  # fmt: skip


def proposal(
    instruction: str = "Somebody tells you a tale. Tell what is asked about it.", **changes: Any
) -> dict[str, Any]:
    return {"instruction": instruction, "input": "{{ question }}\n{{ context }}\n" + OPTIONS, **COMMON} | changes


def reply(*proposals: dict[str, Any]) -> str:
    return f"Here they are:\n```json\n{json.dumps(list(proposals), ensure_ascii=False)}\n```\nGood luck!"


GOOD = [
    proposal(),
    proposal("You are a detective. Look for clues below, then name the solution word for word."),
    proposal("Exam time! Study this text, think about it and copy out one of the listed possibilities."),
]
