from __future__ import annotations

import json
from pathlib import Path

import pytest

from rc_pipeline.lake.code import PROJECT
from rc_pipeline.models.loading import load_model, load_tokenizer
from rc_pipeline.prediction.generation import Ends, generate
from rc_pipeline.prediction.stopping import before_mark, mark_finder, marks_of
from rc_pipeline.prompting.reading import read_prompt

SHIPPED = {
    "alpaca": ("### Instruction:",),
    "bayling": ("### Instruction:",),
    "brief": ("### Instruction:",),
    "chatglm2": ("问：",),
    "llama2_chat": ("[INST]",),
    "minicpm": ("<用户>",),
    "plain": (),
    "vicuna": ("USER:",),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_turn_begins_with_what_the_template_writes_before_an_instruction(name: str, llama: Path) -> None:
    data = json.loads((PROJECT / "catalog" / "prompts" / f"{name}.json").read_text(encoding="utf-8"))
    form = read_prompt(data | {"name": name}, load_tokenizer(llama))

    assert marks_of(form, solved=False) == SHIPPED[name]
    between = ("\n\n",) if "turn" not in data else ()
    assert marks_of(form, solved=True) == tuple(sorted((*SHIPPED[name], *between)))


@pytest.mark.parametrize(
    ("text", "marks", "answer"),
    [
        ("St. Louis, Mo.", ("### Instruction:",), "St. Louis, Mo."),
        ("Rome\n\n### Instruction:\nWho", ("### Instruction:",), "Rome"),
        ("里斯本<用户>谁", ("<用户>",), "里斯本"),
        ("\n\nRome\n\nWho was it?", ("\n\n",), "Rome"),
        ("### Instruction:", ("### Instruction:",), ""),
        ("", ("\n\n",), ""),
        ("Rome USER: who ### Instruction:", ("### Instruction:", "USER:"), "Rome"),
    ],
)
def test_an_answer_is_what_stands_before_the_first_mark(text: str, marks: tuple[str, ...], answer: str) -> None:
    assert before_mark(text, marks) == answer


def test_a_model_that_begins_another_turn_is_stopped_there(llama: Path) -> None:
    model, tokenizer = load_model(llama, family="llama"), load_tokenizer(llama)
    prompts = [[1, 5, 9, 20 + n] for n in range(4)]
    free = [one.ids for one in generate(model, prompts, max_new_tokens=16, ends=Ends(()), pad_id=0)]
    # What the answers say by themselves, from some token in their middle on.
    marks = [(tokenizer.decode(ids[6:8]),) if row % 2 else () for row, ids in enumerate(free)]

    found = generate(model, prompts, max_new_tokens=16, ends=Ends((), mark_finder(tokenizer, marks)), pad_id=0)

    for row, (answer, ids) in enumerate(zip(found, free, strict=True)):
        assert answer.ended == bool(row % 2)
        assert answer.ids == (ids[: len(answer.ids)] if row % 2 else ids)
        if row % 2:
            assert len(answer.ids) <= 8
            assert marks[row][0] not in before_mark(tokenizer.decode(answer.ids), marks[row])


def test_without_marks_nothing_is_looked_for(llama: Path) -> None:
    assert mark_finder(load_tokenizer(llama), [(), ()]) is None
