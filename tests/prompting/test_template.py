from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_prompts_have_their_golden_forms() -> None:
    alpaca = Prompt.from_dict(ALPACA, "alpaca")
    assert alpaca.render("Do it.", "With this.") == (
        "### Instruction:\nDo it.\n\n### Input:\nWith this.\n\n### Response:\n"
    )
    assert alpaca.render("Do it.", "") == "### Instruction:\nDo it.\n\n### Response:\n"
    minicpm = Prompt("minicpm", "<用户>{instruction}\n{input}<AI>", "<用户>{instruction}<AI>", "<AI>")
    assert minicpm.render("读", "文") == "<用户>读\n文<AI>"
    llama = Prompt("llama", "[INST] {instruction} {{{input}}} [/INST]", "[INST] {instruction} {{}} [/INST]", "[/INST]")
    assert llama.render("a", "b") == "[INST] a {b} [/INST]"
    assert llama.render("a", "") == "[INST] a {} [/INST]"


def test_an_input_of_zero_is_an_input_and_a_blank_one_is_none() -> None:
    alpaca = Prompt.from_dict(ALPACA, "alpaca")
    assert "### Input:\n0\n" in alpaca.render("a", "0")
    assert alpaca.render("a", " \n") == alpaca.render("a", "")


@given(st.text(), st.text())
def test_rows_are_never_read_as_templates(instruction: str, text: str) -> None:
    prompt = Prompt("p", "<{{{instruction}}}|{input}>", "<{{{instruction}}}>", ">")
    expected = "<{" + instruction + "}" + (f"|{text}>" if text.strip() else ">")
    assert prompt.render(instruction, text) == expected
    if text.strip():
        start = prompt.input_position(instruction)
        assert expected[start : start + len(text)] == text


def test_a_template_reads_back_as_it_was_written() -> None:
    prompt = Prompt.from_dict(ALPACA, "alpaca")
    assert Prompt.from_dict(prompt.to_dict()) == prompt
    assert prompt != dataclasses.replace(prompt, name="other")
