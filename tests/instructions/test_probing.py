from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.instructions.errors import InstructionsError
from rc_pipeline.instructions.probes import PROBES
from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.lake.hashing import content_hash
from tests.instructions.test_build import CHOICES, build, read

LETTERS: dict[str, dict[str, Any]] = {
    "letters": {
        "instruction": "Read the passage and choose.",
        "without_passage": "Choose.",
        "input": "Passage: {{ context }}\n\nQ: {{ question }}\nA. {{ answer0 }}\nB. {{ answer1 }}\nC. {{ answer2 }}\n"
        "D. {{ answer3 }}",
        **CHOICES,
        "choices": [f"{letter}. {{{{ answer{n} }}}}" for n, letter in enumerate("ABCD")],
    }
}
ASKED = {"valid": list(PROBES)}
READING = {
    "read": {"instruction": "答。", "input": "文：{{ passage }}\n\n问：{{ question }}", "output": "{{ answer }}"}
}


def chinese(tables: Path, passages: list[str], answers: list[str]) -> dict[str, Any]:
    """Write a table of records in Chinese and return how it is built."""
    rows = pl.DataFrame(
        {
            "row_id": [f"zh/valid/{n}" for n in range(len(passages))],
            "group": [f"{passage[:4]}" for passage in passages],
            "passage": passages,
            "question": [f"第{n}问？" for n in range(len(passages))],
            "answer": answers,
            "gold_answers": [[answer] for answer in answers],
        }
    )
    write_parquet(rows, tables / "valid.parquet")
    return {
        "fmt": "records", "dataset": "zh", "columns": ("passage", "question", "answer"), "passage_column": "passage",
        "splits": ["valid"], "train_splits": [],
    }  # fmt: skip


def test_a_probe_that_the_template_cannot_ask_stops_the_build(cosmos: Path, tmp_path: Path) -> None:
    with pytest.raises(InstructionsError, match=r"letters.yaml: valid.question_only: its questions show no passage"):
        build(cosmos, tmp_path / "out", LETTERS, asked_as=ASKED, passage_column="")


def test_a_row_for_which_there_is_no_other_passage_is_dropped_and_counted(tmp_path: Path) -> None:
    settings = chinese(tmp_path / "zh", ["长江流经上海。"] * 2, ["上海", "长江"])
    outcome = build(tmp_path / "zh", tmp_path / "out", READING, asked_as={"valid": ["other_passage"]}, **settings)
    assert read(tmp_path / "out", "valid.other_passage").is_empty()
    assert outcome.metadata["dropped: no_other_passage"] == 2
    failed = [check.name for check in outcome.checks if not check.passed]
    assert failed == ["no_split_is_empty"]


def test_another_passage_never_says_the_answer(tmp_path: Path) -> None:
    passages = ["长江流经上海。", "上海在海边。", "黄山在安徽省。", "泰山在山东省。"]
    settings = chinese(tmp_path / "zh", passages, ["上海", "海边", "安徽省", "泰山"])
    for seed in range(8):
        out = tmp_path / str(seed)
        build(tmp_path / "zh", out, READING, asked_as={"valid": ["other_passage"]}, seed=seed, **settings)
        shown = [text.split("\n")[0].removeprefix("文：") for text in read(out, "valid.other_passage")["input"]]
        assert "上海" not in shown[0]
        assert all(other != own for other, own in zip(shown, passages, strict=True))


def test_options_of_a_row_that_has_none_cannot_change_places(tmp_path: Path) -> None:
    listed = {
        "list": {
            "instruction": "{{ input }}", "input": "{{ options | join('/') }}", "choices": "{{ options }}",
            "label": "{{ label }}", "output": "{{ answer }}",
        }
    }  # fmt: skip
    rows = pl.DataFrame(
        {
            "row_id": ["b/test/0", "b/test/1"], "group": ["0", "1"], "input": ["Which?", "What?"],
            "options": [["x", "y", "z"], []], "label": [1, None], "answer": ["y", "w"], "gold_answers": [["y"], ["w"]],
        },
        schema_overrides={"options": pl.List(pl.String)},
    )  # fmt: skip
    write_parquet(rows, tmp_path / "b" / "test.parquet")
    outcome = build(
        tmp_path / "b", tmp_path / "out", listed, fmt="bigbench", columns=("input", "options", "label", "answer"),
        passage_column="", splits=["test"], train_splits=[], asked_as={"test": ["shuffled_options"]}, seed=1,
    )  # fmt: skip
    (row,) = read(tmp_path / "out", "test.shuffled_options").to_dicts()
    assert sorted(row["choices"]) == ["x", "y", "z"] != row["choices"]
    assert (row["choices"][row["gold_label"]], row["output"], row["input"]) == ("y", "y", "/".join(row["choices"]))
    assert outcome.metadata["dropped: no_options"] == 1


def test_probes_are_files_of_their_own_and_change_no_other(cosmos: Path, tmp_path: Path) -> None:
    build(cosmos, tmp_path / "plain", LETTERS)
    outcome = build(cosmos, tmp_path / "probed", LETTERS, asked_as=ASKED)
    assert all(check.passed for check in outcome.checks)
    assert outcome.tables["instructions"] == [
        "train.parquet", "valid.parquet", *(f"valid.{probe}.parquet" for probe in PROBES), "test.parquet",
    ]  # fmt: skip
    for name in ("train.parquet", "valid.parquet", "test.parquet", "dropped.parquet"):
        assert content_hash(tmp_path / "plain" / name) == content_hash(tmp_path / "probed" / name)
    base = read(tmp_path / "probed", "valid")
    for probe in PROBES:
        rows = read(tmp_path / "probed", f"valid.{probe}")
        assert rows["instruction_id"].to_list() == [f"{name}:{probe}" for name in base["instruction_id"]]
        assert rows.select("row_id", "template", "order", "group", "gold_answers", "question").equals(
            base.select("row_id", "template", "order", "group", "gold_answers", "question")
        )


def test_no_passage_leaves_all_as_it_was_and_question_only_reads_as_a_question(cosmos: Path, tmp_path: Path) -> None:
    build(cosmos, tmp_path / "out", LETTERS, asked_as=ASKED)
    base, bare, only = (read(tmp_path / "out", name).row(0, named=True) for name in (
        "valid", "valid.no_passage", "valid.question_only",
    ))  # fmt: skip
    start, end = base["passage_start"], base["passage_end"]
    assert bare["input"] == base["input"][:start] + base["input"][end:]
    assert bare["instruction"] == "Read the passage and choose."
    assert only["instruction"] == "Choose."
    assert only["input"] == base["input"][end:].lstrip("\n")
    for row in (bare, only):
        assert (row["passage_start"], row["passage_words"]) == (-1, 0)
        assert (row["choices"], row["gold_label"], row["output"]) == tuple(
            base[name] for name in ("choices", "gold_label", "output")
        )


def test_shuffled_options_keep_their_texts_and_the_right_one(cosmos: Path, tmp_path: Path) -> None:
    build(cosmos, tmp_path / "out", LETTERS, asked_as={"valid": ["shuffled_options"]})
    base, rows = (read(tmp_path / "out", name).to_dicts() for name in ("valid", "valid.shuffled_options"))
    moved = 0
    for before, after in zip(base, rows, strict=True):
        assert [choice[:3] for choice in after["choices"]] == ["A. ", "B. ", "C. ", "D. "]
        assert sorted(choice[3:] for choice in after["choices"]) == sorted(choice[3:] for choice in before["choices"])
        right = after["choices"][after["gold_label"]]
        assert right == after["output"]
        assert [right[3:]] == before["gold_answers"]
        assert "\n".join(after["choices"]) in after["input"]
        moved += after["choices"] != before["choices"]
    assert moved > 5


def test_unknown_labels_stay_unknown_when_options_change_places(cosmos: Path, tmp_path: Path) -> None:
    build(cosmos, tmp_path / "out", LETTERS, asked_as={"test": ["shuffled_options"]})
    assert read(tmp_path / "out", "test.shuffled_options")["gold_label"].to_list() == [None] * 5


def test_another_passage_is_of_another_group_and_each_is_read_about_once(cosmos: Path, tmp_path: Path) -> None:
    build(cosmos, tmp_path / "out", LETTERS, asked_as={"valid": ["other_passage"]})
    base, rows = read(tmp_path / "out", "valid"), read(tmp_path / "out", "valid.other_passage")
    shown = rows["input"].str.extract(r"\((valid \d)\)")
    own = base["input"].str.extract(r"\((valid \d)\)")
    assert (shown != own).all()
    assert shown.n_unique() >= own.n_unique() - 1
    assert rows["passage_words"].to_list() == base["passage_words"].to_list()
    assert rows["input"][0][rows["passage_start"][0] : rows["passage_end"][0]].endswith(f"({shown[0]})")


def test_a_row_that_goes_changes_the_passages_of_its_neighbours_alone(cosmos: Path, tmp_path: Path) -> None:
    build(cosmos, tmp_path / "all", LETTERS, asked_as=ASKED)
    rows = pl.read_parquet(cosmos / "valid.parquet")
    write_parquet(rows.filter(pl.col("row_id") != "cosmos/valid/4"), cosmos / "valid.parquet")
    build(cosmos, tmp_path / "some", LETTERS, asked_as=ASKED)
    for probe in PROBES:
        every, some = (read(tmp_path / out, f"valid.{probe}").select("row_id", "input") for out in ("all", "some"))
        same = every.join(some, on=["row_id", "input"]).height
        assert same == 9 if probe != "other_passage" else same >= 7
