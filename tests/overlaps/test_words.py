from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rc_pipeline.overlaps.sketches import NEAR, Bands, agreement, signatures
from rc_pipeline.overlaps.words import BETWEEN, located, ngram_end, ngrams, read_words, shingles, spread
from tests.overlaps.made_up import CHINESE, chinese, sentence

MIXED = st.text(st.sampled_from([*"abcXYZ 12.,+-*\n", *"山水，。é", "🙂", "ｱ", "ﬁ", "ß"]), max_size=60)


def whole(text: str) -> int:
    return int(read_words([text]).whole[0])


@pytest.mark.parametrize(
    "one, other",
    [
        ("5 * 3", "5 / 3"),
        ("C#", "C++"),
        ("€5", "$5"),
        ("1.5", "15"),
        ("🙂", "🙁"),
        ("résumé", "resume"),
        ("山水", "水山"),
        ("ab c", "a bc"),
    ],
)
def test_what_differs_in_meaning_is_not_folded(one: str, other: str) -> None:
    assert whole(one) != whole(other)


@pytest.mark.parametrize("text", ["", " \n\t", "…", "。，！？", "“-”", "\u200b", "\0"])
def test_a_text_without_words_says_nothing(text: str) -> None:
    words = read_words([text])
    assert words.whole.tolist() == [0]
    assert not len(ngrams(words).says)
    assert not len(shingles(words).says)


@pytest.mark.parametrize(
    "one, other",
    [
        ("Who wrote it?", "who wrote\tIT"),
        ("Ｗｈｏ ｗｒｏｔｅ　ｉｔ？", "Who wrote it"),
        ("你好，世界！", "你 好 世界"),
        ("ﬁve ①", "FIVE 1"),
        ("e\u0301te\u0301", "été"),
        ("don’t – stop", "don't stop"),
    ],
)
def test_case_punctuation_space_and_character_forms_are_folded(one: str, other: str) -> None:
    assert whole(one) == whole(other)


def test_a_run_has_thirteen_words_or_twenty_six_characters() -> None:
    mixed = "one two 三四五六 seven eight nine ten eleven twelve thirteen fourteen fifteen"
    words = read_words([sentence(1, 12), sentence(1, 13), chinese(1, 25), chinese(1, 26), mixed])
    runs = ngrams(words)
    assert np.diff(runs.first).tolist() == [0, 1, 0, 1, 1]
    assert [ngram_end(words, at) for at in runs.word.tolist()] == words.first[[2, 4, 5]].tolist()


def test_no_run_goes_from_one_column_into_the_next() -> None:
    words = read_words(
        [f"{sentence(1, 12)} {BETWEEN} {sentence(2, 12)}", f"{sentence(1, 14)} {BETWEEN} {sentence(2, 13)}"]
    )
    assert np.diff(ngrams(words).first).tolist() == [0, 3]
    assert whole(f"a b {BETWEEN} c") != whole(f"a {BETWEEN} b c")


def test_a_short_text_is_one_shingle_and_a_long_one_many() -> None:
    words = read_words(["Why?", "", sentence(1, 12), sentence(1, 13), chinese(1, 26)])
    assert np.diff(shingles(words).first).tolist() == [1, 0, 1, 11, 21]


def test_every_equal_pair_is_matched_with_repeats() -> None:
    which, place = spread(*located(np.array([2, 2, 5, 9], np.uint64), np.array([5, 2, 7, 2], np.uint64)))
    pairs = sorted(zip(which.tolist(), place.tolist(), strict=True))
    assert pairs == [(0, 2), (1, 0), (1, 1), (3, 0), (3, 1)]


@settings(max_examples=100, deadline=None)
@given(st.lists(MIXED, min_size=1, max_size=5))
def test_a_text_says_the_same_alone_and_among_others(texts: list[str]) -> None:
    together = read_words(texts)
    assert together.whole.tolist() == [whole(text) for text in texts]
    runs = shingles(together)
    apart = [shingles(read_words([text])).says.tolist() for text in texts]
    assert [runs.says[a:b].tolist() for a, b in zip(runs.first, runs.first[1:], strict=False)] == apart


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    words = read_words([text])
    assert whole(words.texts[0].upper().lower()) == whole(text.upper().lower())
    for runs in (ngrams(words), shingles(words)):
        assert runs.first[-1] == len(runs.says)


def test_signatures_estimate_what_sets_have_in_common() -> None:
    rng = np.random.default_rng(2)
    off = []
    for _ in range(60):
        own = sentence(int(rng.integers(1e9)), 300).split()
        changed = [word if rng.random() > 0.04 else "other" for word in own]
        runs = shingles(read_words([" ".join(own), " ".join(changed)]))
        sets = [set(runs.says[a:b].tolist()) for a, b in zip(runs.first, runs.first[1:], strict=False)]
        found = signatures(runs)
        off.append(float(agreement(found[:1], found[1:])[0]) - len(sets[0] & sets[1]) / len(sets[0] | sets[1]))
    assert abs(np.mean(off)) < 0.02
    assert np.max(np.abs(off)) < 0.18


def test_signatures_are_the_same_on_every_machine() -> None:
    found = signatures(shingles(read_words([sentence("fixed"), CHINESE, "Why?", ""])))
    assert found[:, 0].tolist() == [3223938827, 3243053129, 3668472118, 4294967295]


def test_near_pairs_share_a_band_and_texts_without_words_none() -> None:
    own = sentence(5, 300).split()
    near = " ".join([*own[:150], "changed", *own[151:]])
    texts = [sentence(n, 300) for n in range(200)]
    bands = Bands(signatures(shingles(read_words(texts))))
    assert list(bands.near(signatures(shingles(read_words([near, sentence("z")]))), NEAR)) == [(0, 5)]
