from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_pipeline.passages.units import LONGEST_WORD, estimate_tokens, read_units
from rc_pipeline.passages.windows import cut_windows

TEXTS = st.lists(st.text(alphabet="ab. \n!”)1é。中，X", max_size=120), min_size=1, max_size=4)


def cut(texts: list[str], tokens: int) -> list[list[str]]:
    windows = cut_windows(read_units(texts), np.array([len(text) for text in texts]), tokens)
    spans = list(zip(windows.start, windows.end, strict=True))
    return [
        [text[start:end] for start, end in spans[windows.first[number] : windows.first[number + 1]]]
        for number, text in enumerate(texts)
    ]


def test_an_empty_text_and_one_of_spaces_have_one_window() -> None:
    assert cut(["", " \t ", "a"], 8) == [[""], [" \t "], ["a"]]


def test_a_giant_paragraph_without_a_space_is_cut_all_the_same() -> None:
    text = "x" * 5000 + "中" * 500
    windows = cut([text], 20)[0]
    assert "".join(windows) == text
    assert max(estimate_tokens(windows)) <= 20


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("First one.\n\nSecond one.\n\nThird one.\n", ["First one.\n\nSecond one.\n\n", "Third one.\n"]),
        ("A first long sentence ends. Then another one.", ["A first long sentence ends. ", "Then another one."]),
        ("Then she met her old Mr. Smithers in town.", ["Then she met her old Mr. Smithers ", "in town."]),
        ("“So he really said?” Yes, he said it loudly.", ["“So he really said?” ", "Yes, he said it loudly."]),
        ("他住在北京市。她说：“好的。”然后走了。", ["他住在北京市。", "她说：“好的。”", "然后走了。"]),
    ],
)
def test_windows_end_with_paragraphs_then_sentences(text: str, windows: list[str]) -> None:
    assert cut([text], 9) == [windows]


@given(TEXTS, st.integers(8, 30))
def test_windows_tile_their_texts_and_keep_to_their_size(texts: list[str], tokens: int) -> None:
    for text, windows in zip(texts, cut(texts, tokens), strict=True):
        assert "".join(windows) == text
        assert all(estimate <= max(tokens, LONGEST_WORD) for estimate in estimate_tokens(windows))
