from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rc_pipeline.prompting.encoding import encode
from rc_pipeline.prompting.reading import read_prompt
from rc_pipeline.prompting.template import Prompt
from rc_pipeline.prompting.tokens import TextEncoder, front_ids
from tests.prompting.conftest import NAMES

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TALK = Prompt(
    "talk", "<s>ask: {instruction} {input} [/INST]", "<s>ask: {instruction} [/INST]", "[/INST]",
    answer=" {output} ", turn="{prompt}{answer}</s> ",
)  # fmt: skip
PLAIN_TEXT = st.text("abc <>/s\n é中", max_size=30).filter(
    lambda text: not any(name in text for name in NAMES.values())
)
ANY_TEXT = st.text("</s><pad>unk a\n", max_size=40) | st.sampled_from(["</s>", "<s></s>", " <s> ", "<</s>s>", "</s"])


@pytest.fixture(scope="module", params=["bytewise", "marked", "first", "normalised"])
def begun(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    """Tokenizers that differ in what they do to the text behind a special token."""
    from tokenizers import Tokenizer, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    if request.param in {"bytewise", "marked"}:
        return request.getfixturevalue(request.param)
    data = json.loads(request.getfixturevalue("marked").backend_tokenizer.to_str())
    if request.param == "normalised":
        data["added_tokens"] = [token | {"normalized": True} for token in data["added_tokens"]]
    else:
        data["normalizer"] = None
    backend = Tokenizer.from_str(json.dumps(data))
    if request.param == "first":
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    return PreTrainedTokenizerFast(tokenizer_object=backend, **NAMES)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(asked=PLAIN_TEXT, words=PLAIN_TEXT, answered=PLAIN_TEXT)
def test_special_tokens_of_a_template_are_read_as_the_tokenizer_reads_them(
    begun: PreTrainedTokenizerFast, asked: str, words: str, answered: str
) -> None:
    row = {"instruction": asked, "input": words, "history": [[asked, answered]]}
    shown = f" {words}" if words.strip() else ""
    text = f"<s>ask: {asked} [/INST] {answered} </s> <s>ask: {asked}{shown} [/INST]"
    assert encode(row, begun, TALK, max_tokens=9999).ids == begun(text, add_special_tokens=False)["input_ids"]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(asked=ANY_TEXT, words=ANY_TEXT, answered=ANY_TEXT)
def test_special_tokens_in_a_row_are_characters_whatever_the_template_names(
    bytewise: PreTrainedTokenizerFast, asked: str, words: str, answered: str
) -> None:
    row = {"instruction": asked, "input": words, "history": [[asked, answered]], "output": answered}
    ids = encode(row, bytewise, TALK, max_tokens=9999).ids
    shown = f" {words}" if words.strip() else ""
    text = f"<s>ask: {asked} [/INST] {answered} </s> <s>ask: {asked}{shown} [/INST] {answered} </s>"
    assert bytewise.decode(ids) == text
    assert [ids.count(bytewise.convert_tokens_to_ids(name)) for name in ("<s>", "</s>", "<pad>")] == [2, 2, 0]


def test_an_answer_s_leading_space_is_not_doubled_where_the_tokenizer_marks_beginnings(
    marked: PreTrainedTokenizerFast, bytewise: PreTrainedTokenizerFast
) -> None:
    end = marked.eos_token_id
    assert TextEncoder(marked, TALK).answers(["Ann"]) == [[*marked("Ann ", add_special_tokens=False)["input_ids"], end]]
    assert TextEncoder(bytewise, TALK).answers(["Ann"]) == [
        [*bytewise(" Ann ", add_special_tokens=False)["input_ids"], bytewise.eos_token_id]
    ]


@pytest.mark.parametrize("last", ["", "</s>"])
def test_a_prompt_for_an_encoder_ends_once_as_a_text_does_and_its_answer_too(
    tokenizer: PreTrainedTokenizerFast, last: str
) -> None:
    row = {"instruction": "ask", "input": "words", "output": "Ann"}
    prompt = read_prompt(
        {"name": "p", "prompt_input": f"{{instruction}} {{input}}{last}", "prompt_no_input": "", "response_split": ""},
        tokenizer,
        ends_prompt=True,
    )
    end, encoded = tokenizer.eos_token_id, encode(row, tokenizer, prompt, max_tokens=99)
    said = [*front_ids(tokenizer), *tokenizer("ask words", add_special_tokens=False)["input_ids"], end]
    assert encoded.ids[: encoded.prompt_tokens] == said
    assert encoded.ids[encoded.prompt_tokens :] == TextEncoder(tokenizer, prompt).answers(["Ann"])[0]
    assert encode(row, tokenizer, prompt, max_tokens=len(encoded.ids)).ids == encoded.ids
    assert read_prompt(prompt.to_dict(), tokenizer, ends_prompt=True) == prompt


def test_the_tokenizer_itself_is_left_as_it_was(bytewise: PreTrainedTokenizerFast) -> None:
    before = bytewise.backend_tokenizer.to_str()
    encode({"instruction": "a</s>", "input": "b"}, bytewise, TALK, max_tokens=99)
    assert bytewise.backend_tokenizer.to_str() == before
    assert bytewise("</s>", add_special_tokens=False)["input_ids"] == [bytewise.eos_token_id]
    assert front_ids(bytewise) == []
