"""The views of a lake that is empty, old, or holds what cannot be shown."""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl
import pytest
from told import ask, told

from rc_pipeline.lake import views, warehouse
from rc_pipeline.lake.upkeep import discard

VIEWS = (
    "answers errors by_question_word by_passage_length by_template confusion truncated_answers trivia_errors "
    "trivia_error_kinds templates raw_rows passages comparisons flipped score_slices scored_questions scores "
    "predictions instructions quarantine runs lineage skipped flips('a','b')"
)


@pytest.mark.parametrize("view", VIEWS.split())
def test_an_empty_lake_answers_with_no_row(tmp_path: Path, view: str) -> None:
    assert ask(told(tmp_path, {}), f"FROM {view}") == []


def test_columns_that_older_artifacts_lack_are_null(tmp_path: Path) -> None:
    old = pl.DataFrame(
        {"run": "r", "eval_set": "quiz/dev", "instruction_id": "1:ask", "row_id": "1", "correct": [True]}
    )
    lake = told(tmp_path, {"scored_questions": old})
    assert ask(lake, "SELECT key, correct, question_word FROM answers") == [("1", True, None)]
    assert ask(lake, "SELECT n, percent_correct FROM by_question_word") == [(1, 100.0)]
    assert ask(lake, "FROM skipped") == []


def test_a_table_with_the_name_of_a_view_is_listed_and_the_others_stand(tmp_path: Path) -> None:
    lake = told(tmp_path, {"errors": pl.DataFrame({"n": [1]}), "quiz": pl.DataFrame({"n": [2]})})
    [(name, reason)] = ask(lake, "FROM skipped")
    assert name == "errors of error analysis"
    assert "already exists" in reason
    assert ask(lake, "FROM quiz") == [(2,)]
    assert ask(lake, "FROM errors") == [(1,)]


def test_a_table_that_cannot_be_read_is_listed_and_the_others_stand(tmp_path: Path) -> None:
    lake = told(tmp_path, {"quiz": pl.DataFrame({"n": [1]}), "scored_questions": pl.DataFrame({"n": [1]})})
    artifact = lake.store.head("scores/scored_questions")
    assert artifact is not None
    rows = artifact.folder / "rows.parquet"
    rows.chmod(0o644)
    rows.write_bytes(b"?" * rows.stat().st_size)
    lake.warehouse.publish()
    assert [name for name, _ in ask(lake, "FROM skipped")] == ["scored_questions"]
    assert ask(lake, "FROM quiz") == [(1,)]
    assert ask(lake, "FROM errors") == []


def test_rows_of_every_dataset_lead_to_their_line_whatever_their_columns(tmp_path: Path) -> None:
    place = {"source_file": "a.csv", "source_line": [7]}
    asked = pl.DataFrame({"row_id": "quiz/dev/1", "question": "Who?", "label": 3} | place)
    spoken = pl.DataFrame({"row_id": "talk/train/1", "messages": [["Hi"]]} | place)
    lake = told(
        tmp_path, {"quiz": asked, "talk": spoken, 'odd "{name}" ; DROP': asked, "quiz_answers": asked.select("row_id")}
    )
    found = ask(lake, "SELECT table_name, question, source_line, row->>'$.label' FROM raw_rows ORDER BY table_name")
    assert found == [('odd "{name}" ; DROP', "Who?", 7, "3"), ("quiz", "Who?", 7, "3"), ("talk", None, 7, None)]


def test_a_warehouse_of_other_definitions_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = told(tmp_path, {"quiz": pl.DataFrame({"n": [1]})})
    lake.warehouse.publish()
    assert lake.warehouse.is_current()
    monkeypatch.setattr(warehouse, "DEFINITIONS", "of a later version")
    assert not lake.warehouse.is_current()


def test_what_was_discarded_is_shown_no_more(tmp_path: Path) -> None:
    lake = told(tmp_path, {"quiz": pl.DataFrame({"n": [1]}), "talk": pl.DataFrame({"n": [2]})})
    assert [row[0] for row in ask(lake, "SELECT asset FROM lineage ORDER BY ALL")] == ["tables/quiz", "tables/talk"]
    discard(lake, [lake.store.head_links()["tables/quiz"]])
    assert ask(lake, "SELECT asset FROM lineage") == [("tables/talk",)]


def test_many_small_builds_are_not_each_shown_but_all_of_them_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published, publish = [], warehouse.Warehouse.publish

    def counted(self: warehouse.Warehouse) -> None:
        published.append(self)
        publish(self)

    monkeypatch.setattr(warehouse.Warehouse, "publish", counted)
    lake = told(tmp_path, {f"quiz{n}": pl.DataFrame({"n": [n]}) for n in range(40)})
    during = len(published)
    lake.show()

    assert 1 <= during < 20
    assert lake.warehouse.is_current()
    assert ask(lake, "FROM quiz39") == [(39,)]


def test_every_definition_of_error_analysis_is_read_as_one_statement() -> None:
    assert len(views.STATEMENTS) == views.ERROR_ANALYSIS.count("CREATE ")


def test_a_look_at_a_large_lake_is_not_taken_at_every_artifact(world, monkeypatch):
    world.run()
    lake, looks = world.lake(), []
    monkeypatch.setattr(lake.warehouse, "is_current", lambda: looks.append(time.sleep(0.05)) or True)
    for _ in range(20):
        lake.obtain("numbers/a", lambda work: pytest.fail("it stands"))
    assert len(looks) < 5
