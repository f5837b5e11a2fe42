"""Tokenizers made from tokenizer.model: the ids of sentencepiece itself, whatever the text."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from rc_pipeline.models.fast_tokenizer import fast_tokenizer, write_fast_tokenizer
from rc_pipeline.models.loading import load_tokenizer
from rc_pipeline.models.sentencepiece_model import SentencePieceError, read_sentencepiece
from rc_pipeline.prompting.reading import read_prompt
from rc_pipeline.prompting.tokens import TextEncoder
from tests.models.pieces import LINES, write_pieces
from tests.models.upstream import CHATGLM2

PROMPTS = Path(__file__).resolve().parents[2] / "catalog" / "prompts"
PLAIN: dict[str, Any] = {}
FOLDED = {"remove_extra_whitespaces": True, "allow_whitespace_only_pieces": False}
BARE = {"add_dummy_prefix": False}
FOLDED_WIDTHS = {"normalization_rule_name": "nmt_nfkc"}
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NEAR_TEXT = st.lists(
    st.sampled_from([*"abnRome安娜住在罗马。 \n\t<>/s0x41é😀▁", "  ", "Anna ", "banana", "<0x41>", "</s>"]), max_size=16
).map("".join)


def both(**options: Any) -> tuple[sentencepiece.SentencePieceProcessor, Tokenizer]:
    with TemporaryDirectory() as folder:
        path = write_pieces(Path(folder) / "tokenizer.model", **options)
        tokenizer = fast_tokenizer(read_sentencepiece(path), path)
        # As everywhere in this project: what is written in a row is text, and never a special token.
        tokenizer.encode_special_tokens = True
        return sentencepiece.SentencePieceProcessor(model_proto=path.read_bytes()), tokenizer


@cache
def plain() -> tuple[sentencepiece.SentencePieceProcessor, Tokenizer]:
    return both()


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    found: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return found


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model_type": "unigram", "vocab_size": 350}, "another algorithm than BPE"),
        ({"user_defined_symbols": ["<用户>"]}, "1 user-defined symbols (<用户>)"),
        ({"treat_whitespace_as_suffix": True}, "marks spaces behind words"),
    ],
)
def test_what_cannot_be_carried_over_exactly_is_refused(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = write_pieces(tmp_path / "tokenizer.model", **options)

    with pytest.raises(SentencePieceError) as caught:
        fast_tokenizer(read_sentencepiece(path), path)
    assert said in str(caught.value)
    assert "tokenizer.json" in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\xff" * 40, b"version https://git-lfs.github.com/spec/v1", b"\x0a\x05ab"])
def test_a_file_that_is_no_sentencepiece_model_is_named(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(data)

    with pytest.raises(SentencePieceError, match=r"tokenizer\.model"):
        read_sentencepiece(tmp_path / "tokenizer.model")


@given(st.binary(max_size=60), st.integers(0, 6000))
@settings(max_examples=200, deadline=None)
def test_damaged_models_end_in_one_kind_of_error(noise: bytes, at: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.model"
        path.write_bytes(_whole_model()[:at] + noise)
        try:
            read_sentencepiece(path)
        except SentencePieceError as error:
            assert "Fetch" in str(error)


@cache
def _whole_model() -> bytes:
    with TemporaryDirectory() as folder:
        return write_pieces(Path(folder) / "tokenizer.model").read_bytes()


@pytest.mark.parametrize("options", [PLAIN, FOLDED, BARE, FOLDED_WIDTHS], ids=["plain", "folded", "bare", "nfkc"])
def test_written_texts_get_the_ids_of_sentencepiece(options: dict[str, Any]) -> None:
    theirs, ours = both(**options)

    for text in (
        *LINES,
        "",
        " ",
        " Rome",
        "  two  spaces  ",
        "\n",
        "a\nb ",
        "ｆｕｌｌ　width",
        "未知字",
        "🙂",
        "<s> a</s>",
    ):
        assert ids(ours, text) == theirs.encode(text), text


@settings(max_examples=400, deadline=None)
@given(ANY_TEXT | NEAR_TEXT)
def test_any_text_gets_the_ids_of_sentencepiece_and_survives_them(text: str) -> None:
    theirs, ours = plain()

    found = ids(ours, text)

    assert found == theirs.encode(text)
    if "▁" not in text:
        assert ours.decode(found, skip_special_tokens=False) == text


@settings(max_examples=200, deadline=None)
@given(NEAR_TEXT)
def test_folded_spaces_are_folded_as_sentencepiece_does(text: str) -> None:
    theirs, ours = _folded()

    assert ids(ours, text) == theirs.encode(text)


@cache
def _folded() -> tuple[sentencepiece.SentencePieceProcessor, Tokenizer]:
    return both(**FOLDED)


def chatglm2(folder: Path) -> Path:
    write_fast_tokenizer(write_pieces(folder / "tokenizer.model"), folder, family="chatglm2", told={})
    return folder


def test_chatglm2_marks_follow_the_pieces_and_begin_every_text(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(chatglm2(tmp_path))
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))

    # As 64789 pieces give [gMASK] the id 64790 and sop the id 64792.
    assert tokenizer("Anna")["input_ids"] == [len(pieces) + 1, len(pieces) + 3, *pieces.encode("Anna")]
    assert tokenizer.convert_tokens_to_ids("<eop>") == len(pieces) + 4
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (CHATGLM2["eos_token_id"], CHATGLM2["pad_token_id"])


def test_chatglm2_marks_are_not_found_inside_words(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(chatglm2(tmp_path))
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))

    for text in ("stop the developer, eop and sop", "問 sop"):
        assert tokenizer(text)["input_ids"][2:] == pieces.encode(text)


@pytest.mark.parametrize(("told", "front"), [({}, [1]), ({"add_bos_token": False}, [])])
def test_a_text_begins_with_bos_unless_the_original_says_otherwise(
    told: dict[str, Any], front: list[int], tmp_path: Path
) -> None:
    path = write_pieces(tmp_path / "tokenizer.model")
    write_fast_tokenizer(path, tmp_path, family="llama", told=told)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(path))

    assert load_tokenizer(tmp_path)("Anna")["input_ids"] == front + pieces.encode("Anna")


def test_a_chat_template_is_kept(tmp_path: Path) -> None:
    path = write_pieces(tmp_path / "tokenizer.model")
    write_fast_tokenizer(path, tmp_path, family="llama", told={"chat_template": "{{ messages }}"})

    assert load_tokenizer(tmp_path).chat_template == "{{ messages }}"


@pytest.mark.parametrize(("family", "name"), [("minicpm", "minicpm"), ("chatglm2", "chatglm2"), ("llama", "vicuna")])
@pytest.mark.parametrize("answer", ["Rome", "罗马。", "  two\nlines ", "🙂"])
def test_answers_are_read_back_as_they_were_written(family: str, name: str, answer: str, tmp_path: Path) -> None:
    write_fast_tokenizer(write_pieces(tmp_path / "tokenizer.model"), tmp_path, family=family, told={})
    tokenizer = load_tokenizer(tmp_path)
    prompt = json.loads((PROMPTS / f"{name}.json").read_text(encoding="utf-8"))
    encoder = TextEncoder(tokenizer, read_prompt({**prompt, "name": name}, tokenizer))

    spans = encoder.answers([answer])

    assert spans[0][-1] == 2
    assert encoder.read_as(spans, [answer]) == [True]
