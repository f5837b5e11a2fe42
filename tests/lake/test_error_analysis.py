"""The views and macros of error analysis over rows whose right answer is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from told import ask, told

from rc_pipeline.lake.build import Lake
from rc_pipeline.scoring import trivia

PASSAGE = "Ada Beyonce Lovelace was born in London and wrote notes. Her friend was Charles Babbage. In 1852 she died."
GOLD = ["charles babbage", "babbage"]
# instruction: the passage that it shows, the answer, how many characters were cut off; what is wrong with it.
CASES: dict[str, tuple[str, str | None, int, str | None]] = {
    "right": (PASSAGE, "Charles Babbage", 0, None),
    "silent": (PASSAGE, None, 0, "no answer"),
    "marks": (PASSAGE, " “ The . ", 0, "unsupported"),
    "article": (PASSAGE, "The.", 0, "no answer"),
    "accent": (PASSAGE, "Bäb-bage!", 0, "alias missed"),
    "verbose": (PASSAGE, "It was Charles Babbage, I think", 0, "right but verbose"),
    "inside a word": (PASSAGE, "Babbages", 0, "unsupported"),
    "absent": ("Nothing is said of friends.", "London", 0, "not in the passage"),
    "none": ("", "London", 0, "not in the passage"),
    "cut": (PASSAGE, "Ada", 60, "truncated away"),
    "cut within it": (PASSAGE, "Ada", 20, "truncated away"),
    "cut right behind it": (PASSAGE, "Ada", 18, "another part of the passage"),
    "invented": (PASSAGE, "Napoleon", 0, "unsupported"),
    "other part": (PASSAGE, "born in the London", 0, "another part of the passage"),
}
# Letters of scripts younger than a database's Unicode tables are left out, and the one that lower() does not know.
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="Σ", max_codepoint=0xFFFF)
TEXT = st.text(st.sampled_from(list("aAnN tThHeE.,-_'’“–\u200b\t\x1f\u3000\x85é²½ßİ中x")) | LETTERS, max_size=12)


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    """Each case asked once, and a second run that answers London to everything."""
    instructions, predictions, questions = [], [], []
    for name, (passage, answer, cut, kind) in CASES.items():
        row = f"quiz/dev/{name}"
        ids = {"instruction_id": f"{row}:ask", "row_id": row}
        start, end = (0, len(passage)) if passage else (-1, -1)
        instructions.append(
            {**ids, "dataset": "quiz", "split": "dev", "template": "ask", "instruction": "Answer.", "question": "Who?",
             "input": f"{passage}\n\nWho was her friend?", "passage_start": start, "passage_end": end, "choices": [],
             "gold_answers": GOLD}
        )  # fmt: skip
        for run, said, right in (("a", answer, kind is None), ("b", "London", False)):
            asked = {"run": run, "eval_set": "quiz/dev", "answer": said, **ids}
            finished = name != "verbose"
            kept = {"passage_tokens_cut": int(cut > 0), "passage_characters_kept": len(passage) - cut}
            predictions.append({**asked, **kept, "prompt_tokens": 30, "finished": finished})
            gold = " | ".join(GOLD)
            questions.append({**asked, "key": row, "template": "ask", "gold": gold, "correct": right, "f1": 0.0})
    rows = [f"quiz/dev/{name}" for name in CASES]
    raw = {"row_id": rows, "question": "Who?", "source_file": "dev.json", "source_line": range(len(rows))}
    found = {"instructions": instructions, "predictions": predictions, "scored_questions": questions}
    frames = {view: pl.DataFrame(told, infer_schema_length=None) for view, told in found.items()}
    return frames | {"quiz_questions": pl.DataFrame(raw)}


@pytest.fixture(scope="module")
def lake(tables: dict[str, pl.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return told(tmp_path_factory.mktemp("lake"), tables)


@pytest.fixture(scope="module")
def macros(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with told(tmp_path_factory.mktemp("empty"), {}).warehouse.connect() as connection:
        yield connection


@settings(deadline=None, max_examples=30)
@given(texts=st.lists(TEXT, min_size=1, max_size=30))
def test_sql_makes_the_same_of_an_answer_as_the_scorer(macros: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    found = macros.execute("SELECT list_transform(?, lambda text: trivia_normalised(text))", [texts]).fetchall()
    assert found == [(list(map(trivia.normalise, texts)),)]


@settings(deadline=None, max_examples=30)
@given(rows=st.lists(st.tuples(TEXT, st.lists(TEXT, min_size=1, max_size=4)), min_size=1, max_size=20))
def test_sql_gives_the_same_verdict_as_the_scorer(
    macros: duckdb.DuckDBPyConnection, rows: list[tuple[str, list[str]]]
) -> None:
    said, accepted = pl.Series([row[0] for row in rows]), pl.Series([row[1] for row in rows])
    exact, f1 = trivia.judge(said, accepted)
    macros.register("asked", pl.DataFrame({"said": said, "accepted": accepted}).to_arrow())
    found = macros.execute("SELECT trivia_exact(said, accepted), trivia_f1(said, accepted) FROM asked").fetchall()
    assert [row[0] for row in found] == exact.to_list()
    assert [row[1] for row in found] == pytest.approx(f1.to_list())


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_answer_is_of_one_kind(lake: Lake, name: str) -> None:
    kinds = ask(lake, f"SELECT kind FROM trivia_errors WHERE run = 'a' AND row_id = 'quiz/dev/{name}'")
    wanted = CASES[name][3]
    assert kinds == ([] if wanted is None else [(wanted,)])


def test_kinds_of_errors_add_up_to_the_errors(lake: Lake) -> None:
    totals = ask(lake, "SELECT run, sum(n), round(sum(percent)) FROM trivia_error_kinds GROUP BY run ORDER BY run")
    assert totals == [("a", len(CASES) - 1, 100), ("b", len(CASES), 100)]


def test_questions_of_other_formats_have_no_kinds_of_trivia_errors(
    tables: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    assert ask(told(tmp_path, tables, fmt="squad"), "FROM trivia_errors") == []


def test_every_answer_leads_to_its_question_passage_template_and_line(lake: Lake) -> None:
    query = (
        "SELECT question, passage, source_file, source_line, raw_row->>'$.source_line', definition->>'$.input' "
        "FROM answers JOIN templates ON templates.dataset = 'quiz' AND templates.template = answers.template "
        "WHERE run = 'a' AND row_id = 'quiz/dev/verbose'"
    )
    line = list(CASES).index("verbose")
    assert ask(lake, query) == [("Who?", PASSAGE, "dev.json", line, str(line), "{{ passage }}")]


def test_errors_are_the_answers_that_are_not_right(lake: Lake) -> None:
    assert ask(lake, "SELECT run, count(*) FROM errors GROUP BY run ORDER BY run") == [
        ("a", len(CASES) - 1), ("b", len(CASES)),
    ]  # fmt: skip


def test_flips_are_what_one_run_knows_and_the_other_does_not(lake: Lake) -> None:
    query = "SELECT key, question, answer_a, answer_b, change FROM flips('{}', '{}')"
    there = ("quiz/dev/right", "Who?", "Charles Babbage", "London", "broken")
    assert ask(lake, query.format("a", "b")) == [there]
    assert ask(lake, query.format("b", "a")) == [(*there[:2], "London", "Charles Babbage", "mended")]
    assert ask(lake, query.format("a", "a")) == ask(lake, query.format("a", "nobody")) == []


def test_an_answer_that_the_limit_ended_tells_whether_it_began_right(
    tables: dict[str, pl.DataFrame], lake: Lake, tmp_path: Path
) -> None:
    query = "SELECT DISTINCT row_id, began_right FROM truncated_answers"
    assert ask(lake, query) == [("quiz/dev/verbose", False)]
    began = tables["scored_questions"].with_columns(answer=pl.lit("the Babbage, who"))
    assert ask(told(tmp_path, tables | {"scored_questions": began}), query) == [("quiz/dev/verbose", True)]


def test_shares_come_with_their_intervals_and_groups(tmp_path: Path) -> None:
    questions = pl.DataFrame(
        {"run": "a", "eval_set": ["quiz/dev"] * 9 + ["quiz/dev.other"], "template": "ask",
         "row_id": list("abcdefghij"), "instruction_id": list("abcdefghij"), "question_word": ["who"] * 5 + ["why"] * 5,
         "passage_words": [0, 49, 50, 99, 100, 199, 200, 399, None, 800], "correct": [True, False] * 5, "f1": 0.5,
         "choice": [0, 1, 0, 0, None, 2, 1, 1, 1, 1], "gold_label": [0, 0, 0, 0, 1, 1, 1, 1, 1, None]},
        schema_overrides={"choice": pl.Int64, "gold_label": pl.Int64},
    )  # fmt: skip
    lake = told(tmp_path, {"scored_questions": questions})
    assert ask(lake, "SELECT n, percent_correct, low, high, f1 FROM by_question_word WHERE question_word = 'who'") == [
        (5, 60.0, 23.1, 88.2, 50.0)
    ]
    assert ask(lake, "SELECT words_from, n FROM by_passage_length ORDER BY words_from") == [
        (0, 2), (50, 2), (100, 2), (200, 2), (800, 1), (None, 1),
    ]  # fmt: skip
    assert ask(lake, "SELECT asked, eval_set, n FROM by_template ORDER BY eval_set") == [
        ("quiz/dev", "quiz/dev", 9), ("quiz/dev", "quiz/dev.other", 1),
    ]  # fmt: skip
    assert ask(lake, "SELECT gold_label, choice, n, percent_of_gold FROM confusion ORDER BY ALL") == [
        (0, 0, 3, 75.0), (0, 1, 1, 25.0), (1, 1, 3, 60.0), (1, 2, 1, 20.0), (1, None, 1, 20.0),
    ]  # fmt: skip
