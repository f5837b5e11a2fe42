from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_pipeline.prompting.dialogue import INPUT, RowRefused, read_dialogue
from rc_pipeline.prompting.encoding import render
from rc_pipeline.prompting.template import Prompt, PromptError

ALPACA = {
    "description": "Template used by Alpaca-LoRA.",
    "prompt_input": "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n",
    "prompt_no_input": "### Instruction:\n{instruction}\n\n### Response:\n",
    "response_split": "### Response:",
}


@pytest.mark.parametrize(
    "placeholder",
    [
        "{instruction.__class__}",
        "{input[0]}",
        "{}",
        "{0}",
        "{name}",
        "{input!r}",
        "{input:>9}",
        "{ input }",
        "{input:{input}}",
    ],
)
def test_nothing_but_the_two_plain_names_is_a_placeholder(placeholder: str) -> None:
    with pytest.raises(PromptError, match=r"prompt mine: prompt_input: .* write a literal brace twice"):
        Prompt.from_dict({**ALPACA, "prompt_input": f"a {placeholder} b"}, "mine")


@pytest.mark.parametrize("text", ["a { b", "a } b", "{instruction"])
def test_a_lone_brace_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(PromptError, match=r"prompt mine: prompt_no_input: .* write a literal brace twice"):
        Prompt.from_dict({**ALPACA, "prompt_no_input": text}, "mine")


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(PromptError) as caught:
        Prompt("mine", "{a} {b}", "{", "x")
    assert len(str(caught.value).splitlines()) == 3
    with pytest.raises(PromptError, match=r"(?s)prompt_input: None is no text.*response_split: 3 is no text"):
        Prompt.from_dict({"prompt_no_input": "", "response_split": 3}, "mine")


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        ({"answer": "none"}, r"answer: \{output\} stands there 0 times"),
        ({"turn": "{prompt}{answer}{answer}"}, r"turn: \{answer\} stands there 2 times"),
        ({"turn": "{prompt}{output}"}, r"turn: \{output\} is not one of \{prompt\} and \{answer\}"),
        ({"system": "{system}!"}, "system: would never be said"),
        ({"default_system": "Be kind."}, "default_system: would never be said"),
        ({"prompt_input": "{system}{instruction}{input}"}, "prompt_no_input: has no .system."),
        ({"strip": "yes"}, "strip: 'yes' is no text; write true or false"),
        ({"separator": 3}, "separator: 3 is no text"),
    ],
)
def test_places_for_more_than_a_question_are_checked(texts: dict[str, object], problem: str) -> None:
    with pytest.raises(PromptError, match=problem):
        Prompt.from_dict({**ALPACA, **texts}, "mine")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"system": "Be kind."}, "system_has_no_place"),
        ({"history": [["a", "b"]]}, "history_has_no_place"),
        ({"shots": [{"instruction": "a", "output": "b", "system": "Be kind."}]}, "system_has_no_place"),
        ({"history": ["ab"]}, "history_is_broken"),
        ({"history": [["a", None]]}, "history_is_broken"),
        ({"history": [["a"]]}, "history_is_broken"),
    ],
)
def test_what_a_template_has_no_place_for_is_never_left_out_in_silence(row: dict[str, object], reason: str) -> None:
    with pytest.raises(RowRefused) as caught:
        render({"instruction": "a", **row}, Prompt.from_dict(ALPACA, "mine"))
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "nothing", [{}, {"system": None, "history": None, "shots": None}, {"system": " \n", "history": []}]
)
def test_what_is_absent_or_blank_needs_no_place(nothing: dict[str, object]) -> None:
    row = {"instruction": "Do it.", "input": None, **nothing}
    assert render(row, Prompt.from_dict(ALPACA, "mine")) == "### Instruction:\nDo it.\n\n### Response:\n"


def test_an_input_of_zero_is_an_input_and_a_blank_one_is_none() -> None:
    alpaca = Prompt.from_dict(ALPACA, "alpaca")
    for zero in (0, "0"):
        assert "### Input:\n0\n" in render({"instruction": "a", "input": zero}, alpaca)
    assert render({"instruction": "a", "input": " \n"}, alpaca) == render({"instruction": "a", "input": ""}, alpaca)


def test_an_answer_of_zero_is_an_answer() -> None:
    alpaca = Prompt.from_dict(ALPACA, "alpaca")
    row = {"instruction": "a", "output": 0, "shots": [{"instruction": "b", "input": 0, "output": 0}]}
    text = render(row, alpaca, with_answer=True)
    assert text.count("### Response:\n0") == 2
    assert "### Input:\n0\n" in text


@given(st.text(), st.text())
def test_rows_are_never_read_as_templates(instruction: str, text: str) -> None:
    prompt = Prompt("p", "<{{{instruction}}}|{input}>", "<{{{instruction}}}>", ">")
    row = {"instruction": instruction, "input": text}
    expected = "<{" + instruction + "}" + (f"|{text}>" if text.strip() else ">")
    assert render(row, prompt) == expected
    if text.strip():
        assert (text, INPUT) in prompt.compose(read_dialogue(row)).pieces


def test_a_template_reads_back_as_it_was_written() -> None:
    prompt = Prompt.from_dict({**ALPACA, "turn": "{prompt}{answer}\n", "strip": True}, "alpaca")
    assert Prompt.from_dict(prompt.to_dict()) == prompt
    assert prompt != dataclasses.replace(prompt, name="other")
    assert set(Prompt.from_dict(ALPACA, "alpaca").to_dict()) == {"name", *ALPACA} - {"description"}
