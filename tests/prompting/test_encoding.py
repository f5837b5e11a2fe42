from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rc_pipeline.prompting.dialogue import Dialogue
from rc_pipeline.prompting.encoding import MASKED, Encoded, PromptTooLong, encode, encode_each, exact_spans, render
from rc_pipeline.prompting.template import Prompt, PromptError
from rc_pipeline.prompting.tokens import TextEncoder, front_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

ROOMY = 100_000
PASSAGE = "Mara went to the harbour in the morning because the fish are fresh then. " * 12
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
AWKWARD = st.one_of(TEXT, st.text("{}{instruction}</s><s>\n 0éǺ👩🏽\u200d🚀🇫🇷क्षि中", max_size=80))
FIXED_PARTS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def row(passage: str = PASSAGE, *, after: str = "\nWhat did she buy?", output: str | None = "bread") -> dict[str, Any]:
    return {
        "instruction_id": "d/train/7:ask",
        "instruction": "Read the passage and answer.",
        "input": f"Passage: {passage}{after}",
        "passage_start": 9,
        "passage_end": 9 + len(passage),
        "output": output,
    }


def whole_text(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    return [*front_ids(tokenizer), *tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]]


def answer_ids(output: str, tokenizer: PreTrainedTokenizerFast, prompt: Prompt) -> list[int]:
    return TextEncoder(tokenizer, prompt).answers([output])[0]


def is_exact(encoded: Encoded, tokenizer: PreTrainedTokenizerFast, prompt: Prompt, output: str) -> bool:
    return next(exact_spans([(encoded, output)], tokenizer, prompt))


def test_a_prompt_that_cannot_fit_names_its_row_and_the_figures(
    tokenizer: PreTrainedTokenizerFast, alpaca: Prompt
) -> None:
    with pytest.raises(PromptTooLong, match=r"d/train/7:ask: the prompt has \d+ tokens, \d+ without .* is 30; raise"):
        encode(row(), tokenizer, alpaca, max_tokens=30)


def test_the_figures_of_a_refusal_are_those_of_the_prompt(tokenizer: PreTrainedTokenizerFast, alpaca: Prompt) -> None:
    uncut = len(encode(row(output=None), tokenizer, alpaca, max_tokens=ROOMY).ids)
    shortest = len(whole_text(tokenizer, cut_text(row(), alpaca, 0)))
    answer = len(answer_ids("bread", tokenizer, alpaca))
    figures = rf"has {uncut} tokens, {shortest} without all that may be cut, {answer} for the answer, 2 kept free"
    with pytest.raises(PromptTooLong, match=figures):
        encode(row(), tokenizer, alpaca, max_tokens=shortest + answer + 1, room_for_answer=2)
    exact = encode(row(), tokenizer, alpaca, max_tokens=shortest + answer + 2, room_for_answer=2)
    assert exact.prompt_tokens == shortest


def test_a_row_without_a_passage_is_never_cut(tokenizer: PreTrainedTokenizerFast, alpaca: Prompt) -> None:
    lacking = {**row(), "passage_start": -1, "passage_end": -1}
    with pytest.raises(PromptTooLong):
        encode(lacking, tokenizer, alpaca, max_tokens=120)


def test_a_row_that_cannot_fit_has_its_reason_in_its_place(tokenizer: PreTrainedTokenizerFast, alpaca: Prompt) -> None:
    lacking = {**row(), "passage_start": -1, "passage_end": -1}
    fine, refused = encode_each([row(), lacking], tokenizer, alpaca, max_tokens=120)
    assert isinstance(fine, Encoded)
    assert isinstance(refused, PromptTooLong)
    assert refused.reason == "prompt_too_long"


@pytest.mark.parametrize("wrong", [{"max_tokens": 0}, {"room_for_answer": -1}, {"loss_on": "answers"}])
def test_limits_without_sense_are_refused(
    tokenizer: PreTrainedTokenizerFast, alpaca: Prompt, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        encode(row(), tokenizer, alpaca, **{"max_tokens": 50, **wrong})


def test_answers_need_a_tokenizer_with_an_end() -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    endless = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))
    with pytest.raises(PromptError, match="eos_token"):
        TextEncoder(endless, Prompt("p", "{instruction}{input}", "{instruction}", "x"))


def test_an_uncut_prompt_is_the_tokenisation_of_its_text(tokenizer: PreTrainedTokenizerFast, alpaca: Prompt) -> None:
    given_row = row()
    encoded = encode(given_row, tokenizer, alpaca, max_tokens=ROOMY, with_answer=False)
    text = render(given_row, alpaca)
    assert encoded.ids == whole_text(tokenizer, text)
    assert encoded.labels == [MASKED] * len(encoded.ids)
    assert (encoded.prompt_tokens, encoded.passage_tokens_cut) == (len(encoded.ids), 0)
    assert encoded.passage_characters_kept == len(PASSAGE)


def test_training_ids_are_the_prompt_the_answer_and_eos(tokenizer: PreTrainedTokenizerFast, alpaca: Prompt) -> None:
    asked = encode(row(output=None), tokenizer, alpaca, max_tokens=ROOMY)
    trained = encode(row(), tokenizer, alpaca, max_tokens=ROOMY)
    answer = answer_ids("bread", tokenizer, alpaca)
    assert answer[-1] == tokenizer.eos_token_id
    assert trained.ids == asked.ids + answer
    assert trained.labels == [MASKED] * len(asked.ids) + answer


def test_loss_on_everything_leaves_out_only_what_the_tokenizer_put_in_front(
    tokenizer: PreTrainedTokenizerFast, alpaca: Prompt
) -> None:
    encoded = encode(row(), tokenizer, alpaca, max_tokens=ROOMY, loss_on="everything")
    front = len(front_ids(tokenizer))
    assert encoded.labels == [MASKED] * front + encoded.ids[front:]
    assert is_exact(encoded, tokenizer, alpaca, "bread")


def test_bos_comes_once_and_only_where_the_tokenizer_adds_it(
    bytewise: PreTrainedTokenizerFast, marked: PreTrainedTokenizerFast, alpaca: Prompt
) -> None:
    written_out = Prompt("chat", "<s>{instruction}{input}[/INST]", "<s>{instruction}[/INST]", "[/INST]")
    for prompt in (alpaca, written_out):
        ids = encode(row(), marked, prompt, max_tokens=ROOMY).ids
        assert ids[0] == marked.bos_token_id
        assert ids.count(marked.bos_token_id) == 1
    assert bytewise.bos_token_id not in encode(row(), bytewise, alpaca, max_tokens=ROOMY).ids


def test_special_tokens_in_a_row_are_text(tokenizer: PreTrainedTokenizerFast, alpaca: Prompt) -> None:
    encoded = encode(row("a </s> b <s>", output="yes</s>no"), tokenizer, alpaca, max_tokens=ROOMY)
    assert encoded.ids.count(tokenizer.eos_token_id) == 1
    assert is_exact(encoded, tokenizer, alpaca, "yes</s>no")


@pytest.mark.parametrize("output", ["0", "False", "", " two words", "l'été 中文 👩🏽‍🚀"])
def test_outputs_survive_whatever_they_look_like(
    tokenizer: PreTrainedTokenizerFast, alpaca: Prompt, output: str
) -> None:
    encoded = encode(row(output=output), tokenizer, alpaca, max_tokens=ROOMY)
    assert is_exact(encoded, tokenizer, alpaca, output)


def test_an_inexact_span_is_noticed(tokenizer: PreTrainedTokenizerFast, alpaca: Prompt) -> None:
    encoded = encode(row(), tokenizer, alpaca, max_tokens=ROOMY)
    assert is_exact(encoded, tokenizer, alpaca, "bread")
    assert not is_exact(encoded, tokenizer, alpaca, "breads")
    for wrong in (
        {"ids": encoded.ids[:-1]},
        {"masked": encoded.masked - 1},
        {"masked": encoded.masked + 1},
        {"prompt_tokens": encoded.prompt_tokens - 1},
    ):
        assert not is_exact(dataclasses.replace(encoded, **wrong), tokenizer, alpaca, "bread")


@pytest.mark.parametrize("max_tokens", range(70, 200, 7))
def test_only_the_passage_is_cut_at_the_last_token_that_fits(
    tokenizer: PreTrainedTokenizerFast, alpaca: Prompt, max_tokens: int
) -> None:
    encoded = encode(row(), tokenizer, alpaca, max_tokens=max_tokens, room_for_answer=5)
    answer = answer_ids("bread", tokenizer, alpaca)
    assert encoded.ids[encoded.prompt_tokens :] == answer
    budget = max_tokens - 5 - len(answer)
    text = render(row(), alpaca)
    start = text.index(PASSAGE)
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    places = [end - start for _, end in offsets if 0 <= end - start < len(PASSAGE)]
    fitting = [place for place in places if len(whole_text(tokenizer, cut_text(row(), alpaca, place))) <= budget]
    assert encoded.ids[: encoded.prompt_tokens] == whole_text(tokenizer, cut_text(row(), alpaca, max(fitting)))
    assert prefixes(row(), encoded, tokenizer, alpaca) >= max(fitting)


@FIXED_PARTS
@given(
    passage=st.one_of(AWKWARD, AWKWARD.map(lambda text: text * 20)),
    after=AWKWARD,
    instruction=AWKWARD,
    output=AWKWARD,
    room=st.integers(0, 9),
    spare=st.integers(-3, 200),
)
def test_any_text_is_encoded_within_its_limit_and_read_back(  # noqa: PLR0913, PLR0917
    tokenizer: PreTrainedTokenizerFast,
    alpaca: Prompt,
    passage: str,
    after: str,
    instruction: str,
    output: str,
    room: int,
    spare: int,
) -> None:
    given_row = {**row(passage, after=after, output=output), "instruction": instruction}
    answer = answer_ids(output, tokenizer, alpaca)
    shortest = len(whole_text(tokenizer, cut_text(given_row, alpaca, 0)))
    limit = max(1, shortest + len(answer) + room + spare)
    try:
        encoded = encode(given_row, tokenizer, alpaca, max_tokens=limit, room_for_answer=room)
    except PromptTooLong:
        assert spare < 0
        return
    assert len(encoded.ids) <= limit - room
    assert encoded.ids[encoded.prompt_tokens :] == answer
    assert tokenizer.decode(answer, clean_up_tokenization_spaces=False) == output + "</s>"
    kept = prefixes(given_row, encoded, tokenizer, alpaca)
    assert kept == len(passage) or not unicodedata.category(passage[kept]).startswith("M") or kept == 0


def cut_text(given_row: dict[str, Any], prompt: Prompt, kept: int) -> str:
    start, end = given_row["passage_start"], given_row["passage_end"]
    shown = given_row["input"][: start + kept] + given_row["input"][end:]
    return prompt.compose(Dialogue(given_row["instruction"], shown, with_input=True)).text()


def prefixes(given_row: dict[str, Any], encoded: Encoded, tokenizer: PreTrainedTokenizerFast, prompt: Prompt) -> int:
    """Return how much of the passage the encoded prompt holds, after checking that it is a real text's."""
    length = given_row["passage_end"] - given_row["passage_start"]
    prompt_ids = encoded.ids[: encoded.prompt_tokens]
    texts = [cut_text(given_row, prompt, kept) for kept in range(length, -1, -1)]
    ids = tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    matching = [length - n for n, found in enumerate(ids) if [*front_ids(tokenizer), *found] == prompt_ids]
    assert matching, "the prompt is not the tokenisation of the text with a shorter passage"
    assert encoded.passage_tokens_cut == len(ids[0]) + len(front_ids(tokenizer)) - encoded.prompt_tokens
    return matching[0]


def test_cutting_a_passage_away_does_not_change_the_form_of_the_prompt(
    tokenizer: PreTrainedTokenizerFast, alpaca: Prompt
) -> None:
    bare = {**row(), "input": PASSAGE, "passage_start": 0, "passage_end": len(PASSAGE), "output": None}
    shortest = len(whole_text(tokenizer, cut_text(bare, alpaca, 0)))
    encoded = encode(bare, tokenizer, alpaca, max_tokens=shortest)
    assert "### Input:" in tokenizer.decode(encoded.ids)


def test_a_placeholder_used_twice_is_cut_in_both_places(tokenizer: PreTrainedTokenizerFast) -> None:
    twice = Prompt("twice", "{input}\n{instruction}\n{input}\n### Response:\n", "{instruction}", "### Response:")
    encoded = encode(row(), tokenizer, twice, max_tokens=260)
    assert 200 < len(encoded.ids) <= 260
    assert is_exact(encoded, tokenizer, twice, "bread")


def test_a_frame_encodes_as_its_rows_do_one_by_one(tokenizer: PreTrainedTokenizerFast, alpaca: Prompt) -> None:
    rows = [row(PASSAGE[: 40 * n], output=None if n % 5 == 0 else f"bread {n}") for n in range(30)]
    alone = [encode(each, tokenizer, alpaca, max_tokens=160) for each in rows]
    assert list(encode_each(pl.DataFrame(rows), tokenizer, alpaca, max_tokens=160)) == alone
    assert any(each.passage_tokens_cut for each in alone)
    assert list(encode_each(pl.DataFrame(rows).clear(), tokenizer, alpaca, max_tokens=160)) == []


def test_rows_are_read_as_they_are_needed(tokenizer: PreTrainedTokenizerFast, alpaca: Prompt) -> None:
    taken = 0

    def endless() -> Iterator[dict[str, Any]]:
        nonlocal taken
        while True:
            taken += 1
            yield row()

    assert len(list(islice(encode_each(endless(), tokenizer, alpaca, max_tokens=160), 3))) == 3
    assert taken < 2000


def test_examples_are_kept_in_four_bytes_a_token(tokenizer: PreTrainedTokenizerFast, alpaca: Prompt) -> None:
    encoded = encode(row(), tokenizer, alpaca, max_tokens=ROOMY)
    kept = encoded.compact()
    assert memoryview(kept.ids).nbytes == 4 * len(encoded.ids)  # type: ignore[arg-type]
    assert (list(kept.ids), kept.labels) == (encoded.ids, encoded.labels)
