from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_pipeline.passages.units import LONGEST_WORD, estimate_tokens, read_units


def units(text: str) -> list[str]:
    found = read_units([text])
    return [text[start:end] for start, end in zip(found.start, found.end, strict=True)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        (" \t\u200b ", []),
        ("The U.S., 1997!", ["The", "U", ".", "S", ".", ",", "1997", "!"]),
        ("Café—“naïve”", ["Café", "—", "“", "naïve", "”"]),
        ("one\r\n\r\n\ntwo", ["one", "\n", "\n\n", "two"]),
        ("人工智能 AI。", ["人", "工", "智", "能", "AI", "。"]),
        ("ひらがな한국어", ["ひ", "ら", "が", "な", "한국어"]),
        ("x" * 40, ["x" * 16, "x" * 16, "x" * 8]),
    ],
)
def test_a_text_is_words_and_signs(text: str, parts: list[str]) -> None:
    assert units(text) == parts


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("word", 1), ("letters", 2), ("a 1997 b.", 7), ("人工智能", 4), ("😀", 3), ("a\n\nb", 3), ("été", 3)],
)
def test_tokens_are_estimated_by_letters_digits_and_signs(text: str, tokens: int) -> None:
    assert estimate_tokens([text]) == [tokens]


def test_upper_and_lower_case_say_the_same_and_neighbours_do_not_mix() -> None:
    found = read_units(["ΣΊΣΥΦΟΣ İzmir ÉTÉ", "σίσυφος izmir été", "zmir i"])
    says = [set(found.says[found.first[n] : found.first[n + 1]].tolist()) for n in range(3)]
    assert says[0] == says[1]
    assert not says[0] & says[2]


def test_the_estimate_is_never_below_the_words_and_is_near_the_tokens_of_the_shipped_model() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    root = Path(__file__).resolve().parents[2] / "rc_pipeline" / "models" / "rc_tiny"
    tokenizer = tokenizers.Tokenizer.from_file(str(root / "tokenizer.json"))
    text = "The mayor of Brinbury is Rivin. Nofen lives in Wyndfield, known for its castle and its old bakery. " * 20
    ratio = len(tokenizer.encode(text).ids) / estimate_tokens([text])[0]
    # Its 1,024 pieces split more words than a large vocabulary would; the prompt is cut by real tokens later.
    assert 0.9 < ratio < 1.3


@given(st.lists(st.text(max_size=60), max_size=5))
def test_units_lie_in_order_and_hold_all_that_is_no_space(texts: list[str]) -> None:
    found = read_units(texts)
    for number, text in enumerate(texts):
        spans = range(found.first[number], found.first[number + 1])
        ends = [0, *(int(found.end[at]) for at in spans)]
        gaps = [text[end : int(found.start[at])] for end, at in zip(ends, spans, strict=False)]
        assert all(read_units([gap]).says.size == 0 for gap in [*gaps, text[ends[-1] :]])
        assert all(found.end[at] - found.start[at] > 0 for at in spans)
        assert all(found.end[at] - found.start[at] <= LONGEST_WORD or text[found.start[at]] == "\n" for at in spans)
        assert found.text[found.first[number] : found.first[number + 1]].tolist() == [number] * len(spans)
