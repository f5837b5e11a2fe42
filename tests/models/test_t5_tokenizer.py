"""T5's tokenizer from its spiece.model: the ids of transformers' own class, and nothing special found in rows."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from rc_pipeline.models.loading import load_tokenizer
from rc_pipeline.models.sentencepiece_model import SentencePieceError
from rc_pipeline.models.t5_tokenizer import write_t5_tokenizer
from rc_pipeline.prompting.dialogue import RowRefused
from rc_pipeline.prompting.encoding import encode, encode_each, exact_spans
from rc_pipeline.prompting.reading import read_prompt
from tests.models.pieces import write_pieces, write_t5_pieces
from tests.models.upstream import write_flan_t5

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PROMPT = {
    "name": "p",
    "prompt_input": "{instruction} {input}",
    "prompt_no_input": "{instruction}",
    "response_split": "",
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.text("anRome s</>\n\t ｆ½雨", max_size=30)


@cache
def both() -> tuple[PreTrainedTokenizerFast, PreTrainedTokenizerFast]:
    """Ours, made from spiece.model, and the one that comes with a checkpoint of today."""
    with TemporaryDirectory() as folder:
        theirs, ours = write_flan_t5(Path(folder) / "theirs").folder, Path(folder) / "ours"
        ours.mkdir()
        write_t5_tokenizer(theirs / "spiece.model", ours, told={})
        return load_tokenizer(ours), load_tokenizer(theirs)


def encoded(tokenizer: PreTrainedTokenizerFast, **row: Any) -> Any:
    form = read_prompt(PROMPT, tokenizer, ends_prompt=True)
    return encode({"row_id": "r", "instruction": "who", **row}, tokenizer, form, max_tokens=500)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model_type": "bpe"}, "cuts by another algorithm than Unigram and has no <pad>"),
        ({"model_type": "unigram", "vocab_size": 350}, "has no <pad> and keeps spaces that T5 folds"),
    ],
)
def test_another_model_s_pieces_are_refused(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = write_pieces(tmp_path / "spiece.model", **options)

    with pytest.raises(SentencePieceError, match=said):
        write_t5_tokenizer(path, tmp_path, told={})
    assert not (tmp_path / "tokenizer.json").exists()


@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_any_text_gets_the_ids_of_transformers(text: str) -> None:
    ours, theirs = both()

    assert ours(text)["input_ids"] == theirs(text)["input_ids"]


def test_written_texts_get_the_ids_of_sentencepiece(tmp_path: Path) -> None:
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(write_t5_pieces(tmp_path / "spiece.model")))

    for text in ("Anna lives in Rome", "  two  spaces\n", "ｆｕｌｌ　width ½", "雨", ""):
        for tokenizer in both():
            assert tokenizer(text)["input_ids"] == [*pieces.encode(text), tokenizer.eos_token_id]


@pytest.mark.parametrize("written", ["</s>", "<pad>", "<extra_id_0>", "a</s>b <extra_id_1>"])
def test_special_tokens_in_a_row_are_characters(written: str) -> None:
    for tokenizer in both():
        ids = list(encoded(tokenizer, input=written).ids)

        # Angles are unknown to T5, which is no harm in a prompt.
        assert set(ids[:-1]) & set(tokenizer.all_special_ids) == {tokenizer.unk_token_id}
        assert ids[-1] == tokenizer.eos_token_id


def test_special_tokens_of_a_template_are_special() -> None:
    for tokenizer in both():
        form = read_prompt(
            PROMPT | {"prompt_input": "{instruction} <extra_id_0> {input}</s>"}, tokenizer, ends_prompt=True
        )
        ids = encode({"instruction": "who", "input": "Rome"}, tokenizer, form, max_tokens=99).ids

        assert ids == tokenizer("who <extra_id_0> Rome")["input_ids"]
        assert tokenizer.convert_tokens_to_ids("<extra_id_0>") in ids


def test_an_answer_with_unknown_characters_is_refused_and_its_row_named() -> None:
    with pytest.raises(
        RowRefused, match="r: output: '雨 Rome' has characters that the tokenizer has no token for"
    ) as no:
        encoded(both()[0], output="雨 Rome")
    assert no.value.reason == "answer_cannot_be_written"


@pytest.mark.parametrize("output", ["Rome", " two  spaces\nand lines ", "ｗｉｄｅ ﬁ", ""])
def test_answers_that_are_folded_are_read_back_as_the_tokenizer_reads_them(output: str) -> None:
    for tokenizer in both():
        form = read_prompt(PROMPT, tokenizer, ends_prompt=True)

        assert list(exact_spans([(encoded(tokenizer, output=output), output)], tokenizer, form)) == [True]
        assert list(exact_spans([(encoded(tokenizer, output=output), output + " no")], tokenizer, form)) == [False]


def test_rows_that_are_refused_keep_their_place_among_the_others() -> None:
    tokenizer = both()[0]
    rows = [{"instruction": "who", "input": "", "output": output} for output in ("Rome", "雨", "Oslo")]

    outcomes = list(encode_each(rows, tokenizer, read_prompt(PROMPT, tokenizer, ends_prompt=True), max_tokens=99))

    assert [isinstance(outcome, RowRefused) for outcome in outcomes] == [False, True, False]
