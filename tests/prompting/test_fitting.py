"""What goes first when a prompt is too long, and what never does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rc_pipeline.catalog import load_catalog
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.prompting.dialogue import read_dialogue
from rc_pipeline.prompting.encoding import MASKED, Encoded, PromptTooLong, encode, encode_each, exact_spans, render
from rc_pipeline.prompting.template import Prompt
from rc_pipeline.prompting.tokens import TextEncoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

ROOMY = 1_000_000
TEMPLATES = [
    Prompt.from_dict(prompt.model_dump(mode="json"), name)
    for name, prompt in sorted(load_catalog(PROJECT / "catalog").prompts.items())
    if prompt.chat_template is None
]
PASSAGE = "Mara went to the harbour in the morning. " * 6
TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.text("{}%{input}</s><s>[INST]\n 0éa\u0301👩🏽\u200d🚀🇫🇷क्षिשלום中文。", max_size=50),
    st.just(""),
    st.sampled_from(["word " * 300, "的" * 300, "{{ 7 }}", "[/INST]"]),
)
EXCHANGE = st.tuples(TEXT, TEXT)


def with_shots(count: int, turns: int) -> dict[str, Any]:
    return {
        "instruction_id": "d/train/1:ask",
        "instruction": "Who went?",
        "input": f"{PASSAGE}Say it.",
        "passage_start": 0,
        "passage_end": len(PASSAGE),
        "shots": [{"instruction": f"Who {n}?", "input": "Bo left. " * (n % 3), "output": n} for n in range(count)],
        "history": [[f"Hi {n}", "Hello"] for n in range(turns)],
        "output": "Mara",
    }


def after_drops(row: dict[str, Any], encoded: Encoded) -> dict[str, Any]:
    return row | {"shots": row["shots"][encoded.shots_dropped :], "history": row["history"][encoded.turns_dropped :]}


@pytest.mark.parametrize("form", TEMPLATES, ids=lambda form: form.name)
def test_examples_go_before_turns_and_turns_before_the_passage(
    form: Prompt, tokenizer: PreTrainedTokenizerFast
) -> None:
    row = with_shots(5, 3 if form.turn else 0)
    whole = encode(row, tokenizer, form, max_tokens=ROOMY)
    seen = []
    for limit in range(len(whole.ids), 0, -7):
        try:
            encoded = encode(row, tokenizer, form, max_tokens=limit)
        except PromptTooLong:
            break
        assert len(encoded.ids) <= limit
        seen.append((encoded.shots_dropped, encoded.turns_dropped, encoded.passage_tokens_cut))
        if not encoded.passage_tokens_cut:
            assert encoded.ids == encode(after_drops(row, encoded), tokenizer, form, max_tokens=ROOMY).ids
        assert seen[-1][0] == 5 or seen[-1][1:] == (0, 0)
        assert seen[-1][1] == len(row["history"]) or seen[-1][2] == 0
    assert seen == sorted(seen)
    assert {shots for shots, _, _ in seen} == set(range(6))
    assert seen[-1][2] > 0


def test_one_more_example_would_not_have_fitted(bytewise: PreTrainedTokenizerFast) -> None:
    form = next(form for form in TEMPLATES if form.name == "brief")
    row = with_shots(40, 0)
    for limit in (150, 300, 450, 600):
        encoded = encode(row, bytewise, form, max_tokens=limit)
        more = row | {"shots": row["shots"][encoded.shots_dropped - 1 :]}
        assert 0 < encoded.shots_dropped < 40
        assert len(encode(more, bytewise, form, max_tokens=ROOMY).ids) > limit


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    form=st.sampled_from(TEMPLATES),
    instruction=TEXT,
    passage=TEXT,
    around=st.tuples(TEXT, TEXT),
    system=TEXT,
    output=TEXT,
    shots=st.lists(EXCHANGE, max_size=3),
    history=st.lists(EXCHANGE, max_size=2),
    max_tokens=st.integers(1, 900),
)
def test_any_row_keeps_its_question_its_system_and_its_answer(  # noqa: PLR0913, PLR0917
    bytewise: PreTrainedTokenizerFast,
    form: Prompt,
    instruction: str,
    passage: str,
    around: tuple[str, str],
    system: str,
    output: str,
    shots: list[tuple[str, str]],
    history: list[tuple[str, str]],
    max_tokens: int,
) -> None:
    before, after = around
    row = {
        "instruction": instruction,
        "input": before + passage + after,
        "passage_start": len(before),
        "passage_end": len(before) + len(passage),
        "system": system if form.default_system else "",
        "shots": [{"instruction": asked, "input": "", "output": answered} for asked, answered in shots],
        "history": history if form.turn else [],
        "output": output,
    }
    (encoded,) = encode_each([row], bytewise, form, max_tokens=max_tokens)
    # As it is read: cutting a passage away never changes the form of the prompt.
    said = replace(read_dialogue(row), shots=(), history=())
    if isinstance(encoded, PromptTooLong):
        encoder = TextEncoder(bytewise, form)
        shortest = encoder.text(form.compose(replace(said, input=before + after)))
        assert len(encoder.prompts([shortest])[0]) + len(encoder.answers([output])[0]) > max_tokens
        return
    assert isinstance(encoded, Encoded)
    assert len(encoded.ids) <= max_tokens
    assert encoded.labels == [MASKED] * encoded.prompt_tokens + list(encoded.ids[encoded.prompt_tokens :])
    assert list(exact_spans([(encoded, output)], bytewise, form)) == [True]
    prompt = bytewise.decode(encoded.ids[: encoded.prompt_tokens])
    if encoded.passage_tokens_cut == 0:
        assert prompt == render(after_drops(row, encoded), form)
    else:
        assert (encoded.shots_dropped, encoded.turns_dropped) == (len(shots), len(row["history"]))
        assert encoded.passage_characters_kept < len(passage)
        read = before + passage[: encoded.passage_characters_kept] + after
        assert prompt == form.compose(replace(said, input=read)).text()
