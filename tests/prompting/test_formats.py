"""Each shipped prompt template beside the published form of its models, written out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rc_pipeline.catalog import load_catalog
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.prompting.dialogue import RowRefused
from rc_pipeline.prompting.encoding import encode, render
from rc_pipeline.prompting.reading import read_prompt
from rc_pipeline.prompting.template import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

CATALOG = load_catalog(PROJECT / "catalog").prompts
TEMPLATES = sorted(name for name, prompt in CATALOG.items() if prompt.chat_template is None)
SINGLE = {"instruction": "Who?", "input": "Ann came.", "output": "Ann"}
WITHOUT_INPUT = {"instruction": "Who?", "input": "", "output": "Ann"}
SYSTEM = WITHOUT_INPUT | {"system": "Be brief."}
HISTORY = WITHOUT_INPUT | {"history": [["Hi", "Hello"], ["What?", "Tea"]]}
SHOTS = SINGLE | {"shots": [{"instruction": "Who?", "input": "Bo left.", "output": "Bo"}]}
EVERYTHING = HISTORY | SYSTEM | {"shots": [{"instruction": "Why?", "input": "", "output": 0}]}

ALPACA_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\nWho?\n\n### Input:\n{}\n\n### Response:\n"
)
ALPACA = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\nWho?\n\n### Response:\nAnn"
)
BAYLING = (
    "I am an intelligent language assistant developed by the NLP Group of ICT/CAS.\n"
    "Below is a dialog consisting of instructions and responses. Write a response that completes the request.\n\n"
)
VICUNA = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions. "
)
LLAMA = "<<SYS>>\nYou answer questions about the text that you are given, briefly and truthfully.\n<</SYS>>\n\n"
BRIEF = "### Instruction:\nWho?\n\n### Input:\n{}\n\n### Response:\n"
GOLDEN: list[tuple[str, dict[str, Any], str]] = [
    ("alpaca", SINGLE, ALPACA_INPUT.format("Ann came.") + "Ann"),
    ("alpaca", WITHOUT_INPUT, ALPACA),
    ("alpaca", SHOTS, ALPACA_INPUT.format("Bo left.") + "Bo\n\n" + ALPACA_INPUT.format("Ann came.") + "Ann"),
    ("brief", SINGLE, BRIEF.format("Ann came.") + "Ann"),
    ("brief", WITHOUT_INPUT, "### Instruction:\nWho?\n\n### Response:\nAnn"),
    ("brief", SHOTS, BRIEF.format("Bo left.") + "Bo\n\n" + BRIEF.format("Ann came.") + "Ann"),
    ("plain", SINGLE, "Who?\n\nAnn came.\n\nAnswer: Ann"),
    ("plain", WITHOUT_INPUT, "Who?\n\nAnswer: Ann"),
    ("plain", SHOTS, "Who?\n\nBo left.\n\nAnswer: Bo\n\nWho?\n\nAnn came.\n\nAnswer: Ann"),
    ("minicpm", SINGLE, "<用户>Who?\n\nAnn came.<AI>Ann"),
    ("minicpm", {"instruction": " 谁？\n", "input": "", "output": "安"}, "<用户>谁？<AI>安"),
    ("minicpm", HISTORY, "<用户>Hi<AI>Hello<用户>What?<AI>Tea<用户>Who?<AI>Ann"),
    ("minicpm", SHOTS, "<用户>Who?\n\nBo left.<AI>Bo<用户>Who?\n\nAnn came.<AI>Ann"),
    ("llama2_chat", SINGLE, f"[INST] {LLAMA}Who?\n\nAnn came. [/INST] Ann "),
    ("llama2_chat", SYSTEM, "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nWho? [/INST] Ann "),
    (
        "llama2_chat",
        HISTORY,
        f"[INST] {LLAMA}Hi [/INST] Hello </s><s>[INST] What? [/INST] Tea </s><s>[INST] Who? [/INST] Ann ",
    ),
    (
        "llama2_chat",
        SHOTS,
        f"[INST] {LLAMA}Who?\n\nBo left. [/INST] Bo </s><s>[INST] Who?\n\nAnn came. [/INST] Ann ",
    ),
    (
        "llama2_chat",
        EVERYTHING,
        "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nWhy? [/INST] 0 </s><s>[INST] Hi [/INST] Hello </s>"
        "<s>[INST] What? [/INST] Tea </s><s>[INST] Who? [/INST] Ann ",
    ),
    ("vicuna", SINGLE, f"{VICUNA}USER: Who?\n\nAnn came. ASSISTANT: Ann"),
    ("vicuna", SYSTEM, "Be brief. USER: Who? ASSISTANT: Ann"),
    (
        "vicuna",
        HISTORY,
        f"{VICUNA}USER: Hi ASSISTANT: Hello</s>USER: What? ASSISTANT: Tea</s>USER: Who? ASSISTANT: Ann",
    ),
    ("vicuna", SHOTS, f"{VICUNA}USER: Who?\n\nBo left. ASSISTANT: Bo</s>USER: Who?\n\nAnn came. ASSISTANT: Ann"),
    ("bayling", SINGLE, f"{BAYLING}### Instruction:\nWho? Ann came.\n### Response:\nAnn"),
    ("bayling", SYSTEM, "Be brief.\n\n### Instruction:\nWho?\n### Response:\nAnn"),
    (
        "bayling",
        HISTORY,
        f"{BAYLING}### Instruction:\nHi\n### Response:\nHello</s>\n### Instruction:\nWhat?\n### Response:\nTea</s>\n"
        "### Instruction:\nWho?\n### Response:\nAnn",
    ),
    (
        "bayling",
        SHOTS,
        f"{BAYLING}### Instruction:\nWho? Bo left.\n### Response:\nBo</s>\n"
        "### Instruction:\nWho? Ann came.\n### Response:\nAnn",
    ),
    ("chatglm2", WITHOUT_INPUT, "[Round 1]\n\n问：Who?\n\n答：Ann"),
    (
        "chatglm2",
        HISTORY,
        "[Round 1]\n\n问：Hi\n\n答：Hello\n\n[Round 2]\n\n问：What?\n\n答：Tea\n\n[Round 3]\n\n问：Who?\n\n答：Ann",
    ),
    ("chatglm2", SHOTS, "[Round 1]\n\n问：Who?\n\nBo left.\n\n答：Bo\n\n[Round 2]\n\n问：Who?\n\nAnn came.\n\n答：Ann"),
]
REFUSED = [
    (name, part)
    for name, parts in {
        "alpaca": "system history", "brief": "system history", "plain": "system history", "minicpm": "system",
        "chatglm2": "system",
    }.items()
    for part in parts.split()
]  # fmt: skip


def shipped_template(name: str) -> Prompt:
    return Prompt.from_dict(CATALOG[name].model_dump(mode="json"), name)


@pytest.mark.parametrize(("name", "part"), REFUSED)
def test_formats_refuse_what_they_have_no_place_for(name: str, part: str) -> None:
    row = {"system": SYSTEM, "history": HISTORY}[part]
    with pytest.raises(RowRefused, match=f"prompt {name} has no place for") as caught:
        render(row, shipped_template(name))
    assert caught.value.reason == f"{part}_has_no_place"


@pytest.mark.parametrize(("name", "row", "expected"), GOLDEN)
def test_every_format_writes_its_published_form(name: str, row: dict[str, Any], expected: str) -> None:
    assert render(row, shipped_template(name), with_answer=True) == expected


def test_every_shipped_template_has_a_golden_form() -> None:
    assert {name for name, _, _ in GOLDEN} == set(TEMPLATES)


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_the_same_row_is_asked_with_the_ids_that_it_was_learnt_with(
    name: str, tokenizer: PreTrainedTokenizerFast, chatty: PreTrainedTokenizerFast
) -> None:
    tokenizer = chatty if CATALOG[name].chat_template else tokenizer
    form = read_prompt(CATALOG[name].model_dump(mode="json"), tokenizer)
    for row in (SINGLE, SHOTS, SINGLE | {"passage_start": 0, "passage_end": 9}):
        learnt = encode(row, tokenizer, form, max_tokens=500)
        asked = encode(row, tokenizer, form, max_tokens=500, with_answer=False)
        assert learnt.ids[: learnt.prompt_tokens] == asked.ids
        assert learnt.labels[learnt.prompt_tokens :] == learnt.ids[learnt.prompt_tokens :]


def test_chatglm2_begins_with_the_ids_that_its_tokenizer_puts_in_front(bytewise: PreTrainedTokenizerFast) -> None:
    from tokenizers import Tokenizer, processors
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer.from_str(bytewise.backend_tokenizer.to_str())
    backend.add_special_tokens(["[gMASK]", "<sop>"])
    front = [backend.token_to_id("[gMASK]"), backend.token_to_id("<sop>")]
    backend.post_processor = processors.TemplateProcessing(
        single="[gMASK] <sop> $A", special_tokens=[("[gMASK]", front[0]), ("<sop>", front[1])]
    )
    glm = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")  # noqa: S106
    ids = encode(WITHOUT_INPUT | {"output": None}, glm, shipped_template("chatglm2"), max_tokens=500).ids
    assert ids[:2] == front
    assert glm.decode(ids[2:]) == "[Round 1]\n\n问：Who?\n\n答："


def test_alpaca_lora_s_own_files_read_as_they_are() -> None:
    legacy = {
        "description": "Legacy template, used by the original Alpaca repository.",
        "prompt_input": "Do {{this}}: {instruction} ### Input: {input} ### Response:",
        "prompt_no_input": "Do {{this}}: {instruction} ### Response:",
        "response_split": "### Response:",
    }
    assert render(SINGLE, Prompt.from_dict(legacy, "legacy")) == "Do {this}: Who? ### Input: Ann came. ### Response:"
