"""Questions that their passage does not answer, by the rules of SQuAD 2.0 restated here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.scoring.rows import asked, said

GOLD = ["Red kite", "a red bird"]
ANSWERS = ["", "The", " . ", "red kite", "a kite", "no", "Unanswerable."]
Score, Questions = Callable[..., Any], Callable[[], dict[str, dict[str, Any]]]


def tokens(text: str) -> list[str]:
    kept = re.sub(r"[^\w\s]", "", text.lower())
    return [word for word in kept.split() if word not in {"a", "an", "the"}]


def squad_2(answer: str, golds: list[str]) -> tuple[float, float]:
    """Return (exact, F1): of a question without an answer, the empty one is accepted."""
    mine, found = tokens(answer), []
    for right in map(tokens, golds or [""]):
        shared = (Counter(mine) & Counter(right)).total()
        f1 = 2 * shared / (len(mine) + len(right)) if mine and right else float(mine == right)
        found.append((float(mine == right), f1))
    return max(exact for exact, _ in found), max(f1 for _, f1 in found)


def ask_all(scored: Score, word: str | None) -> dict[str, tuple[str, bool]]:
    """Score each answer to a question that has one and to one that has none, for which the template has a word."""
    pairs = {f"{n}-{none}": (answer, none) for n, answer in enumerate(ANSWERS) for none in (False, True)}
    rows = [
        asked(key, gold_answers=[] if none else GOLD, output=word if none else GOLD[0])
        for key, (_, none) in pairs.items()
    ]
    scored(rows, [said(key, answer) for key, (answer, _) in pairs.items()], "squad")
    return pairs


def test_an_empty_answer_is_right_where_there_is_none_and_nothing_else_is(scored: Score, questions: Questions) -> None:
    pairs, found = ask_all(scored, None), questions()
    for key, (answer, none) in pairs.items():
        exact, f1 = squad_2(answer, [] if none else GOLD)
        assert (found[key]["exact_match"], found[key]["f1"]) == (exact, pytest.approx(f1)), (answer, none)
        assert found[key]["answerable"] is not none
        assert found[key]["problem"] != "no_gold_answer"


@pytest.mark.parametrize(
    ("word", "answer", "right"),
    [
        ("unanswerable", "Unanswerable.", True),
        ("unanswerable", "", True),
        ("unanswerable", "answerable", False),
        ("unanswerable", "it is unanswerable", False),
        ("无法回答", "无法回答。", True),
        ("无法回答", "", True),
        ("无法回答", "无法", False),
    ],
)
def test_the_templates_word_stands_for_the_empty_answer(
    scored: Score, questions: Questions, word: str, answer: str, right: bool
) -> None:
    scored([asked("a", output=word)], [said("a", answer)], "squad")
    found = questions()["a"]
    assert (found["exact_match"], found["f1"], found["gold"]) == (right, right, word)


def test_questions_with_and_without_an_answer_are_told_apart(scored: Score, tmp_path: Path) -> None:
    ask_all(scored, "unanswerable")
    parts = pl.read_parquet(tmp_path / "out" / "slices.parquet").filter(pl.col("metric") == "f1")
    assert {"answerable=false", "answerable=true"} <= set(parts["slice"])


def test_answers_that_nobody_published_are_no_missing_answers(
    scored: Score, questions: Questions, tmp_path: Path
) -> None:
    scored([asked("a"), asked("b")], [said("a", ""), said("b", "x")], "squad")
    assert pl.read_parquet(tmp_path / "out" / "scores.parquet")["value"].to_list() == [None, None]
    assert not any(row["correct"] for row in questions().values())


def test_the_shipped_templates_have_a_word_for_it() -> None:
    from rc_pipeline.catalog import load_catalog
    from rc_pipeline.instructions.rendering import TaskRenderer
    from rc_pipeline.lake.code import PROJECT

    row = {"row_id": "a/b/0", "id": "0", "title": "T", "context": "C", "question": "Q", "answer": None, "answers": []}
    for name, template in load_catalog(PROJECT / "catalog").tasks["squad_2"].items():
        made = TaskRenderer(name, template.model_dump(mode="json"), "context").render(row)
        assert made.output
        assert made.output in made.instruction, name
