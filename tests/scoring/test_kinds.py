"""Each kind of answer against the library or the rules that it is scored by."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rc_pipeline.scoring import squad, translation
from rc_pipeline.scoring.kinds import EXACT, KINDS, judge, measures
from rc_pipeline.scoring.measures import OfCounts
from rc_pipeline.scoring.rouge import Tokens

SCHEMA = {
    "answer": pl.String, "gold_answers": pl.List(pl.String), "choices": pl.List(pl.String), "choice": pl.Int64,
    "gold_label": pl.Int64, "choice_letter": pl.Int64, "choice_likelihood": pl.Int64, "choice_written": pl.Int64,
}  # fmt: skip
MALFORMED = [None, "", " \n", "very " * 20_000, "\x00\x1b[31m", "日本語", "?!…", "A B", "🙂", "\u0301", "1" * 5_000]


def rows(*said: tuple[str | None, list[str]], **more: list[Any]) -> pl.DataFrame:
    columns = {"answer": [answer for answer, _ in said], "gold_answers": [list(golds) for _, golds in said]}
    nothing = {name: [None] * len(said) for name in SCHEMA}
    return pl.DataFrame({**nothing, "choices": [[]] * len(said), **columns, **more}, schema=SCHEMA)


@pytest.mark.parametrize("kind", KINDS)
def test_malformed_answers_are_wrong_and_no_crash(kind: str) -> None:
    asked = rows(*((answer, ["Red kite"]) for answer in MALFORMED))
    found = judge(kind, asked, {"language": "en", "facts": ["Red kite"]})
    assert not found["correct"].any()
    values = [name for name, dtype in found.schema.items() if dtype == pl.Float64]
    assert all(0 <= value < 0.2 for name in values for value in found[name])


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_answer_has_full_marks(kind: str) -> None:
    for gold in ("A red kite flies.", "红鸢在飞。"):
        found = judge(kind, rows((gold, ["something else", gold])), {"language": "zh", "facts": [gold]})
        assert found["correct"].to_list() == [True]
        assert [found[name][0] for name, dtype in found.schema.items() if dtype == pl.Float64] == pytest.approx(
            [1.0] * (len(KINDS[kind]) - (2 if kind == "translation" else 0))
        )


def test_every_kind_but_those_without_one_right_answer_says_what_exact_is() -> None:
    assert set(KINDS) - set(EXACT) == {"translation", "identity"}


def test_a_letter_of_no_option_is_wrong_and_so_is_none() -> None:
    options = ["A", "B"]
    asked = rows(*[("?", ["A"])] * 4, choices=[options] * 4, choice=[0, 1, 7, None], gold_label=[0] * 4)
    assert judge("choices", asked, {})["accuracy"].to_list() == [1.0, 0.0, 0.0, 0.0]


def test_ways_of_choosing_are_scored_side_by_side_where_there_are_several() -> None:
    ways = {"choice_letter": [0, 1], "choice_written": [0, None], "choice": [0, 1], "gold_label": [0, 1]}
    asked = rows(("a", ["a"]), ("b", ["b"]), choices=[["a", "b"]] * 2, **ways)
    found = judge("choices", asked, {})
    assert (found["accuracy_letter"].to_list(), found["accuracy_written"].to_list()) == ([1.0, 1.0], [1.0, 0.0])
    assert [one.name for one in measures("choices", found)] == ["accuracy", "accuracy_letter", "accuracy_written"]
    one = asked.with_columns(choice_written=pl.lit(None, pl.Int64))
    assert "accuracy_letter" not in judge("choices", one, {}).columns


def squad_tokens(text: str) -> list[str]:
    kept = "".join(c for c in text.lower() if c not in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
    return [word for word in kept.split() if word not in {"a", "an", "the"}]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["The", "U.S.", "red", "kite", "it's", "a", "42"]), max_size=5), st.data())
def test_squad_deletes_punctuation_and_takes_the_best_f1(said: list[str], data: Any) -> None:
    gold = data.draw(st.lists(st.sampled_from(["red", "US", "kite", "its", "42"]), min_size=1, max_size=4))
    mine, right = squad_tokens(" ".join(said)), squad_tokens(" ".join(gold))
    exact, f1 = squad.judge(pl.Series([" ".join(said)]), pl.Series([["zebra", " ".join(gold)]]))
    shared = (Counter(mine) & Counter(right)).total()
    assert exact.to_list() == [mine == right]
    assert f1.to_list() == [pytest.approx(2 * shared / (len(mine) + len(right)) if shared else 0)]


@pytest.mark.parametrize(
    ("said", "gold", "exact", "f1"),
    [
        ("五月。", "五月", True, 1.0),
        ("《红楼梦》", "红楼梦", True, 1.0),
        ("是红楼梦", "红楼梦", False, 6 / 7),
        ("红的楼梦", "红楼梦", False, 4 / 7),
        ("NBA总决赛", "nba总决赛", True, 1.0),
        ("2010年", "2010 年", False, 1.0),
        ("", "红楼梦", False, 0.0),
        # As CMRC's own scorer: what a mark parted from the end of an answer is no white space at its end any more.
        ("。 京", "京", False, 1.0),
        ("京…", "京", False, 2 / 3),
    ],
)
def test_chinese_is_compared_by_characters_in_one_run(said: str, gold: str, exact: bool, f1: float) -> None:
    found = squad.judge(pl.Series([said, "kite"]), pl.Series([[gold], ["the kite"]]))
    assert [column.to_list() for column in found] == [[exact, True], [pytest.approx(f1), 1.0]]


@pytest.mark.parametrize("language", ["zh", "zh-Hant", "en", "ja", "de"])
def test_bleu_and_chrf_are_those_of_sacrebleu(language: str) -> None:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    said = ["早上好，朋友。", "the cat sat on the mat", "", "我们在等一辆红色的车"]
    golds = [["早上好，我的朋友。"], ["the cat is on the mat", "a cat sat on the mat"], ["x"], ["我们等一辆红色的汽车"]]
    found = judge("translation", rows(*zip(said, golds, strict=True)), {"language": language})
    references = [[own[min(place, len(own) - 1)] for own in golds] for place in range(2)]
    bleu = BLEU(tokenize=translation.bleu_tokens(language))
    expected = [bleu.corpus_score(said, references).score, CHRF().corpus_score(said, references).score]
    values = [one.value(found) for one in KINDS["translation"] if isinstance(one, OfCounts)]
    assert values == pytest.approx(expected, rel=1e-9)
    assert found["sentence_chrf"][0] == pytest.approx(CHRF().sentence_score(said[0], golds[0]).score / 100)


def test_languages_without_spaces_are_not_counted_by_words() -> None:
    assert [translation.bleu_tokens(code) for code in ("zh-Hans", "yue", "ja", "th", "fr")] == [
        "zh", "zh", "char", "char", "13a"
    ]  # fmt: skip


ENGLISH = ["The runner's quick foxes were running!", "Café_au lait, U.S. 3.5 times", "", "état: naïve"]


@pytest.mark.parametrize("text", ENGLISH)
def test_tokens_of_latin_text_are_those_of_rouge_score(text: str) -> None:
    from rouge_score.tokenizers import DefaultTokenizer

    assert Tokens().tokenize(text) == DefaultTokenizer(use_stemmer=True).tokenize(text)


def test_rouge_of_english_is_that_of_rouge_score_and_chinese_has_one_too() -> None:
    from rouge_score.rouge_scorer import RougeScorer

    said, golds = "The foxes ran over lazy dogs", ["A fox is running over the lazy dog", "dogs"]
    found = judge("rouge", rows((said, golds), ("今天下雨", ["今天下大雨"])), {})
    expected = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True).score_multi(golds, said)
    assert found.row(0)[:3] == pytest.approx([score.fmeasure for score in expected.values()])
    assert found["rouge_l"][1] == pytest.approx(8 / 9)


def test_identity_recall_is_the_share_of_the_facts_that_the_right_answer_states() -> None:
    facts = ["小雨", "the Rain Team", "translate"]
    asked = rows(
        ("I am 小雨.", ["I am 小雨, made by the Rain Team."]), ("THE rain  team!", ["By the Rain Team."]),
        ("I am GPT", ["I am 小雨"]), ("Hello", ["Hello to you"]), (None, ["小雨"]),
    )  # fmt: skip
    assert judge("identity", asked, {"facts": facts})["identity_recall"].to_list() == [0.5, 1.0, 0.0, None, 0.0]
