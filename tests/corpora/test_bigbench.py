from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_pipeline.corpora.bigbench import Layout, part_name, program, read_task
from rc_pipeline.corpora.inventory import opened
from rc_pipeline.corpora.readers import BadRow, CorpusError, Row

NAME = "tasks/bigbench/benchmark_tasks/sums/task.json"
GOOD: dict[str, Any] = {"input": "1 + 1", "target": "2"}
CHOICE: dict[str, Any] = {"input": "1 + 1", "target_scores": {"2": 1, "3": 0, "4": 0}}


def read(folder: Path, data: Any, layout: Layout | None = None) -> list[Row | BadRow]:
    path = folder / "raw.json"
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode())
    with opened(NAME, path) as file:
        return list(read_task(file, layout or Layout({NAME})))


def only(found: list[Row | BadRow]) -> dict[str, Any]:
    (row,) = found
    assert isinstance(row, Row)
    return row.fields


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<html>", "HTML"),
        (b"", "the key examples is expected"),
        (json.dumps({"examples": [GOOD]}).encode()[:-4], "ends in the middle"),
        ({"name": "n", "description": "d"}, "no key examples; it has description, name"),
        ({"examples": {"0": GOOD}}, "examples is expected to be a list"),
        ({"task_prefix": 7, "examples": [GOOD]}, "task_prefix is 7"),
        ({"append_choices_to_input": "no", "examples": [GOOD]}, "append_choices_to_input is 'no'"),
    ],
)
def test_what_is_no_whole_task_is_an_error(tmp_path: Path, data: Any, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        read(tmp_path, data)


@pytest.mark.parametrize(
    ("example", "reason", "field"),
    [
        ("text", "not_an_object", "the row"),
        ({"target": "2"}, "missing_field", "input"),
        ({"input": ["1 + 1"], "target": "2"}, "not_text", "input"),
        ({"input": "1 + 1"}, "missing_field", "target"),
        (GOOD | {"target": None}, "missing_field", "target"),
        (GOOD | {"target": True}, "not_text", "target"),
        (GOOD | {"target": math.inf}, "not_text", "target"),
        (GOOD | {"target": ["2", {}]}, "not_text", "target"),
        (CHOICE | {"target_scores": ["2", "3"]}, "not_scores", "target_scores"),
        (CHOICE | {"target_scores": {"2": "1", "3": "0"}}, "not_scores", "target_scores"),
        (CHOICE | {"target_scores": {"2": float("nan"), "3": 0}}, "not_scores", "target_scores"),
        (CHOICE | {"target_scores": {"2": True, "3": False}}, "not_scores", "target_scores"),
        (CHOICE | {"target_scores": {"2": 1, " ": 0}}, "empty_option", "target_scores"),
        (CHOICE | {"target_scores": {}}, "no_best_option", "target_scores"),
        (CHOICE | {"target_scores": {"2": 1}}, "no_best_option", "target_scores"),
        (CHOICE | {"target_scores": {"2": 0, "3": 0}}, "no_best_option", "target_scores"),
    ],
)
def test_a_bad_example_is_set_aside_with_its_field(tmp_path: Path, example: Any, reason: str, field: str) -> None:
    first, bad, last = read(tmp_path, {"examples": [GOOD, example, GOOD]})
    assert isinstance(bad, BadRow)
    assert (bad.reason, bad.field, bad.file) == (reason, field, NAME)
    assert (type(first), type(last)) == (Row, Row)


@pytest.mark.parametrize("example", [GOOD | {"target": "X"}, {"input": "1", "target_scores": {"X": 1, "3": 0}}])
def test_bytes_that_are_not_utf8_cost_their_example(tmp_path: Path, example: Any) -> None:
    data = json.dumps({"examples": [GOOD, example]}).encode().replace(b'"X"', b'"\xff"')
    first, bad = read(tmp_path, data)
    assert (type(first), type(bad)) == (Row, BadRow)
    assert isinstance(bad, BadRow)
    assert bad.reason == "bad_utf8"


@pytest.mark.parametrize(
    ("target", "answers"),
    [("四", ["四"]), (["四", "4", " ", "四"], ["四", "4"]), (4, ["4"]), ([0.5, -3], ["0.5", "-3"]), ([], []), ("", [])],
)
def test_a_target_is_one_accepted_answer_or_several(tmp_path: Path, target: Any, answers: list[str]) -> None:
    assert only(read(tmp_path, {"examples": [{"input": "二加二", "target": target}]})) == {
        "task": "sums",
        "input": "二加二",
        "options": None,
        "label": None,
        "answer": answers[0] if answers else "",
        "answers": answers,
    }


def test_the_best_option_is_the_answer_and_ties_are_all_accepted(tmp_path: Path) -> None:
    row = only(read(tmp_path, {"examples": [CHOICE | {"target_scores": {"是": 0.5, "否": 0, "对": 0.5}}]}))
    assert set(row["options"]) == {"是", "否", "对"}
    assert set(row["answers"]) == {"是", "对"}
    assert row["options"][row["label"]] == row["answer"] == row["answers"][0]


def test_a_score_may_be_any_number(tmp_path: Path) -> None:
    row = only(read(tmp_path, {"examples": [CHOICE | {"target_scores": {"a": -1, "b": 0.5, "c": 10**400}}]}))
    assert row["answers"] == ["c"]


def test_options_that_are_not_to_be_shown_are_left_out_where_a_target_says_the_answer(tmp_path: Path) -> None:
    hidden = {"append_choices_to_input": False, "examples": [CHOICE | {"target": "two"}]}
    row = only(read(tmp_path, hidden))
    assert (row["options"], row["answer"]) == (None, "two")
    assert only(read(tmp_path, hidden | {"append_choices_to_input": True}))["answer"] == "2"
    assert len(only(read(tmp_path, hidden | {"examples": [CHOICE]}))["options"]) == 3


@pytest.mark.parametrize("late", [True, False])
def test_the_prefix_of_a_task_stands_before_each_input_wherever_the_file_says_it(tmp_path: Path, late: bool) -> None:
    prefix, examples = {"task_prefix": "Add the numbers. "}, {"examples": [GOOD]}
    assert (
        only(read(tmp_path, examples | prefix if late else prefix | examples))["input"] == "Add the numbers.\n\n1 + 1"
    )


@given(st.sets(st.text(min_size=1).filter(str.strip), min_size=2, max_size=9), st.randoms())
def test_the_order_of_options_does_not_depend_on_the_order_in_the_file(options: set[str], random: Any) -> None:
    from rc_pipeline.corpora.bigbench import _chosen

    listed = sorted(options)
    random.shuffle(listed)
    told = [
        _chosen({"input": "?", "target_scores": {option: int(option == max(options)) for option in order}})
        for order in (listed, sorted(options))
    ]
    assert told[0] == told[1]


def test_the_right_option_does_not_stay_first(tmp_path: Path) -> None:
    examples = [CHOICE | {"input": f"{number} of them"} for number in range(300)]
    labels = [row.fields["label"] for row in read(tmp_path, {"examples": examples}) if isinstance(row, Row)]
    assert all(70 <= labels.count(place) <= 130 for place in range(3))


def test_a_task_of_subtasks_has_no_examples_of_its_own(tmp_path: Path) -> None:
    below = NAME.replace("task.json", "small/task.json")
    assert read(tmp_path, {"name": "sums"}, Layout({NAME, below})) == []
    with pytest.raises(CorpusError, match="no key examples"):
        read(tmp_path, {"name": "sums"}, Layout({NAME, "tasks/bigbench/benchmark_tasks/other/small/task.json"}))


def test_tasks_are_told_from_what_lies_in_their_folders() -> None:
    tasks = [
        "sums.json",
        "task.json",
        "bbh/words.json",
        "bbh/more.json.gz",
        "all/sums/task.json",
        "all/sums/small/task.json",
    ]
    others = ["all/sums/data.json", "all/sums/results/scores.json", "all/sums/README.md", "all/games/levels.json"]
    layout = Layout({*tasks, *others, "all/games/task.py", "all/sums/task.py"})
    assert [name for name in (*tasks, *others) if layout.is_task(name)] == tasks
    # A task that has examples and a program is read.
    assert layout.is_program("all/games/task.py")
    assert not layout.is_program("all/sums/task.py")
    assert "leave the task out" in program("all/games/task.py").describe().lower()


@pytest.mark.parametrize(
    ("name", "part"),
    [("all/sums/task.json", "all/sums"), ("bbh/words.json", "bbh/words"), ("sums.json", "sums"), ("task.json", "task")],
)
def test_a_task_is_called_after_its_folder_or_its_file(name: str, part: str) -> None:
    assert part_name(name) == part
