from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jinja2.exceptions import TemplateError

from rc_pipeline.lake.code import PROJECT
from rc_pipeline.merging.chat_text import chat_texts, messages_of
from rc_pipeline.merging.prompts import MADE_UP, fitting_chat_text
from rc_pipeline.models.loading import load_tokenizer
from rc_pipeline.prompting.dialogue import RowRefused, read_dialogue
from rc_pipeline.prompting.encoding import encode
from rc_pipeline.prompting.reading import read_prompt
from tests.models.upstream import WRITERS, artifact

SHIPPED = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) | {"name": path.stem}
    for path in sorted((PROJECT / "catalog" / "prompts").glob("*.json"))
}
FILES = {name: data for name, data in SHIPPED.items() if "chat_template" not in data}
ODD: dict[str, Any] = {
    "name": "odd",
    "prompt_input": '{{%- x -%}} "it\'s" \\n 😀\u2028\r\n{system}{round}: {instruction}\t{input}\n\n',
    "prompt_no_input": "{{{{ 1 }}}} {system}{round}: {instruction}",
    "response_split": ":",
    "system": "<<{system}>>\n",
    "turn": "{prompt}\n→{answer}\n\n",
    "answer": "« {output} »",
    "strip": True,
}


@pytest.fixture(scope="module", params=["minicpm", "chatglm2", "llama2", "gpt2"])
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tokenizer of each layout: from sentencepiece or byte-level, with a beginning of text or without."""
    folder = tmp_path_factory.mktemp(request.param)
    return load_tokenizer(artifact(WRITERS[request.param](folder / "upstream"), folder / "artifact"))


def written(tokenizer: Any, text: str, messages: list[dict[str, str]], **options: Any) -> Any:
    return tokenizer.apply_chat_template(messages, chat_template=text, add_generation_prompt=True, **options)


def user(content: str, **more: str) -> dict[str, str]:
    return {"role": "user", "content": content, **more}


@pytest.mark.parametrize("ends_prompt", [False, True])
@pytest.mark.parametrize("name", [*FILES, "odd"])
def test_a_chat_template_writes_the_ids_of_its_prompt(tokenizer: Any, name: str, ends_prompt: bool) -> None:
    form = read_prompt({**FILES, "odd": ODD}[name], tokenizer, ends_prompt=ends_prompt)
    text = fitting_chat_text(form, tokenizer, [])
    compared = 0
    for row in MADE_UP:
        try:
            ids = encode(row, tokenizer, form, max_tokens=10_000, with_answer=False).ids
        except RowRefused:
            continue
        messages = messages_of(read_dialogue(row), form)
        assert written(tokenizer, text, messages, return_dict=False) == list(ids), (row, text)
        compared += 1
    assert compared >= 2


def test_a_space_stands_for_the_mark_that_a_tokenizer_leaves_out_behind_its_first_token(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = ["<s>", "</s>", "▁", *dict.fromkeys("Whoasked: Nwr?\nRmebri.ln")]
    made = Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, []))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    made.decoder = decoders.Metaspace(prepend_scheme="first")
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, **{"bos_token": "<s>", "eos_token": "</s>"})
    form = read_prompt({"name": "t", "prompt_input": "W {instruction} {input}", "prompt_no_input": "W {instruction}",
                        "response_split": "W"}, tokenizer)  # fmt: skip

    first, second = chat_texts(form, tokenizer)
    ids = list(encode({"instruction": "Who?"}, tokenizer, form, max_tokens=99, with_answer=False).ids)

    assert written(tokenizer, first, [user("Who?")], return_dict=False) != ids
    assert written(tokenizer, second, [user("Who?")], return_dict=False) == ids
    assert fitting_chat_text(form, tokenizer, []) == second


def test_a_servers_variable_says_what_is_to_be_read(tokenizer: Any) -> None:
    text = chat_texts(read_prompt(FILES["alpaca"], tokenizer), tokenizer)[0]
    asked = [user("Who?", input="Anna."), {"role": "assistant", "content": "A"}, user("Where?")]

    apart = written(tokenizer, text, [user("Where?", input="Rome.")], tokenize=False)

    assert written(tokenizer, text, asked, tokenize=False, input="Rome.") == apart
    assert "### Input:\nRome.\n" in apart


def test_a_prompt_without_turns_holds_the_last_question_alone(tokenizer: Any) -> None:
    text = chat_texts(read_prompt(FILES["brief"], tokenizer), tokenizer)[0]
    asked = [user("Who?"), {"role": "assistant", "content": "Anna"}, user("Where?")]

    assert written(tokenizer, text, asked, tokenize=False) == written(tokenizer, text, asked[-1:], tokenize=False)


@pytest.mark.parametrize(
    ("prompt", "messages", "said"),
    [
        ("minicpm", [{"role": "system", "content": "Be brief."}, user("Who?")], "has no place for a system text"),
        ("vicuna", [{"role": "tool", "content": "4"}, user("Who?")], "no place for the role tool"),
        ("vicuna", [user("Who?"), user("Where?")], "two user messages without an assistant"),
    ],
)
def test_messages_that_a_prompt_has_no_place_for_are_refused(
    tokenizer: Any, prompt: str, messages: list[dict[str, str]], said: str
) -> None:
    text = chat_texts(read_prompt(FILES[prompt], tokenizer), tokenizer)[0]

    with pytest.raises(TemplateError, match=said):
        written(tokenizer, text, messages, tokenize=False)


@pytest.mark.parametrize("name", FILES)
def test_a_published_template_is_itself_a_prompt_to_tune_with(tokenizer: Any, name: str) -> None:
    form = read_prompt(FILES[name], tokenizer)
    text = chat_texts(form, tokenizer)[0]
    again = read_prompt({"name": "again", "chat_template": text}, tokenizer)
    row: Mapping[str, Any] = {"instruction": "谁住在罗马?", "output": "安娜"}

    first, second = (encode(row, tokenizer, each, max_tokens=10_000) for each in (form, again))

    assert list(first.ids) == list(second.ids)
    assert first.prompt_tokens == second.prompt_tokens
    assert chat_texts(again, tokenizer) == [text]
