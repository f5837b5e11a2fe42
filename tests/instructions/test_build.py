from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.instructions.asked import ASKED_SCHEMA
from rc_pipeline.instructions.build import SCHEMA, build_instructions
from rc_pipeline.instructions.errors import InstructionsError
from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.lake.hashing import content_hash
from rc_pipeline.lake.outcome import Outcome

COLUMNS = ("id", "context", "question", "answer0", "answer1", "answer2", "answer3", "label")
CHOICES = {
    "choices": ["{{ answer0 }}", "{{ answer1 }}", "{{ answer2 }}", "{{ answer3 }}"],
    "label": "{{ label }}",
    "output": "{{ choices[label] }}",
}
TEMPLATES: dict[str, dict[str, Any]] = {
    "choose": {"instruction": "Choose.", "input": "{{ context }}\n{{ question }}", "weight": 2.0, **CHOICES},
    "ask": {
        "use": ["train"],
        "instruction": "{{ question }}",
        "input": "{{ context }}",
        "language": "en",
        "output": "{{ [answer0, answer1, answer2, answer3][label] }}",
    },
}
TRIVIA = {
    "ask": {"instruction": "Answer: {{ question }}", "input": "{{ passage }}", "output": "{{ answer }}"},
}


def build(tables: Path, out: Path, templates: dict[str, dict[str, Any]] | None = None, **changed: Any) -> Outcome:
    settings: dict[str, Any] = {
        "dataset": "cosmos",
        "fmt": "cosmos_qa",
        "columns": COLUMNS,
        "passage_column": "context",
        "passages": None,
        "documents": None,
        "asked_as": {},
        "train_splits": ["train"],
        "splits": ["train", "valid", "test"],
        "holdout": {},
        "duplicates": "keep",
        "unanswered": ["test"],
        "shot_rows": 0,
        "seed": 0,
    }
    return build_instructions(tables=tables, out=out, templates=templates or TEMPLATES, **settings | changed)


def read(out: Path, split: str) -> pl.DataFrame:
    return pl.read_parquet(out / f"{split}.parquet")


def test_all_template_problems_are_told_at_once(cosmos: Path, tmp_path: Path) -> None:
    wrong = {
        "ask": {**TEMPLATES["ask"], "input": "{{ passage }}", "use": ["evaluate"]},
        "choose": {**TEMPLATES["choose"], "instruction": "{{ contxt }}", "use": ["evaluate"]},
    }
    with pytest.raises(InstructionsError) as caught:
        build(cosmos, tmp_path / "out", wrong)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["ask.yaml", "choose.yaml"]
    assert "none says train" in lines[2]
    assert "2 say evaluate; exactly one must" in lines[3]
    assert not (tmp_path / "out").exists()


def test_a_template_that_fails_on_rows_shows_the_first_and_counts_the_rest(cosmos: Path, tmp_path: Path) -> None:
    one_based = {"choose": {**TEMPLATES["choose"], "label": "{{ label + 1 }}"}}
    with pytest.raises(InstructionsError, match=r"(?s)row cosmos/train/3: '4' is no index.*and 5 more") as caught:
        build(cosmos, tmp_path / "out", one_based, splits=["train"])
    assert len(str(caught.value).splitlines()) == 11


def test_tables_without_any_of_the_splits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InstructionsError, match="none of train, valid, test"):
        build(tmp_path, tmp_path / "out")


def test_splits_that_the_tables_lack_are_left_out(cosmos: Path, tmp_path: Path) -> None:
    (cosmos / "test.parquet").unlink()
    outcome = build(cosmos, tmp_path / "out")
    assert outcome.tables == {"instructions": ["train.parquet", "valid.parquet"], "dropped_rows": ["dropped.parquet"]}


def test_instructions_carry_the_ids_of_the_whole_lineage(cosmos: Path, tmp_path: Path) -> None:
    build(cosmos, tmp_path / "out")
    valid = read(tmp_path / "out", "valid")
    assert list(read(tmp_path / "out", "train").columns) == list(SCHEMA)
    assert dict(valid.schema) == SCHEMA | ASKED_SCHEMA
    first = valid.row(1, named=True)
    assert first["instruction_id"] == "cosmos/valid/1:choose"
    assert (first["row_id"], first["dataset"], first["split"], first["template"], first["language"]) == (
        "cosmos/valid/1",
        "cosmos",
        "valid",
        "choose",
        "en",
    )
    assert first["input"][first["passage_start"] : first["passage_end"]].endswith("(valid 1)")
    assert (first["output"], first["gold_label"], first["gold_answers"]) == ("thing 1 of 1", 1, ["thing 1 of 1"])
    assert first["choices"] == [f"thing {option} of 1" for option in range(4)]


def test_training_mixes_templates_and_evaluation_uses_the_one(cosmos: Path, tmp_path: Path) -> None:
    build(cosmos, tmp_path / "out")
    counts = dict(read(tmp_path / "out", "train").group_by("template").len().iter_rows())
    assert counts["choose"] > counts["ask"] > 0
    assert sum(counts.values()) == 60
    assert set(read(tmp_path / "out", "valid")["template"]) == {"choose"}


def test_editing_one_template_moves_no_row(cosmos: Path, tmp_path: Path) -> None:
    build(cosmos, tmp_path / "before")
    build(cosmos, tmp_path / "after", TEMPLATES | {"ask": {**TEMPLATES["ask"], "instruction": "Now: {{ question }}"}})
    before, after = (read(tmp_path / name, "train") for name in ("before", "after"))
    assert before["instruction_id"].equals(after["instruction_id"])
    chosen = pl.col("template") == "choose"
    assert before.filter(chosen).equals(after.filter(chosen))
    assert read(tmp_path / "before", "valid").equals(read(tmp_path / "after", "valid"))


def test_a_test_split_without_labels_has_no_output(cosmos: Path, tmp_path: Path) -> None:
    build(cosmos, tmp_path / "out")
    test = read(tmp_path / "out", "test")
    assert test.height == 5
    assert test["output"].to_list() == test["gold_label"].to_list() == [None] * 5
    assert test["gold_answers"].to_list() == [[]] * 5
    assert test["choices"].list.len().to_list() == [4] * 5


def test_rows_that_cannot_be_trained_on_are_dropped_with_reasons_and_counted(cosmos: Path, tmp_path: Path) -> None:
    train = pl.read_parquet(cosmos / "train.parquet")
    row = pl.int_range(pl.len())
    broken = train.with_columns(
        label=pl.when(row == 0).then(None).otherwise("label"),
        answer1=pl.when(row == 1).then(pl.lit(" ")).when(row == 5).then(pl.lit("0")).otherwise("answer1"),
    )
    write_parquet(broken, cosmos / "train.parquet")
    outcome = build(cosmos, tmp_path / "out")
    dropped = pl.read_parquet(tmp_path / "out" / "dropped.parquet")
    assert dropped.select("row_id", "reason").rows() == [
        ("cosmos/train/0", "unknown_output"),
        ("cosmos/train/1", "empty_output"),
    ]
    assert set(dropped["template"]) <= set(TEMPLATES)
    figures = outcome.metadata
    assert (figures["rows: train"], figures["dropped: unknown_output"], figures["dropped: empty_output"]) == (58, 1, 1)
    assert read(tmp_path / "out", "train").filter(row_id="cosmos/train/5")["output"].to_list() == ["0"]
    assert all(check.passed for check in outcome.checks)


def test_questions_without_a_passage_are_asked_and_teach_nothing(trivia: tuple[Path, Path], tmp_path: Path) -> None:
    tables, passages = trivia
    splits = ["wikipedia-train", "wikipedia-dev", "wikipedia-test", "web-dev"]
    outcome = build(
        tables, tmp_path / "out", TRIVIA, dataset="trivia", fmt="trivia_qa", splits=splits, train_splits=splits[:1],
        passages=passages,
        columns=("id", "question", "passage", "answer", "aliases"), passage_column="passage",
    )  # fmt: skip
    assert outcome.tables["instructions"] == [f"{split}.parquet" for split in splits[:3]]
    assert {key: value for key, value in outcome.metadata.items() if "rows:" in key or "dropped" in key} == {
        "rows: wikipedia-train": 3,
        "rows: wikipedia-dev": 4,
        "rows: wikipedia-test": 4,
        "dropped: no_evidence": 1,
        "dropped": 1,
    }
    dev = read(tmp_path / "out", "wikipedia-dev")
    assert dev["choices"].to_list() == [[]] * 4
    assert dev["gold_label"].to_list() == [None] * 4
    assert dev["output"].to_list() == ["Lisbon", "Abraham Lincoln", "bon", "x"]
    assert dev["gold_answers"].to_list()[0] == ["lisbon", "lisboa", "Olisipo"]
    assert dev["passage_start"].to_list() == [0, 0, 0, -1]
    assert dev["input"].to_list()[3] == ""
    assert read(tmp_path / "out", "wikipedia-test")["output"].to_list() == [None] * 4


def test_the_same_inputs_give_the_same_values_and_another_seed_another_order(cosmos: Path, tmp_path: Path) -> None:
    outcomes = [build(cosmos, tmp_path / name, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1))]
    hashes = [
        {path.name: content_hash(path) for path in sorted((tmp_path / name).iterdir())} for name in ("a", "b", "c")
    ]
    assert outcomes[0] == outcomes[1]
    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]


def test_the_order_of_a_row_does_not_depend_on_the_other_rows(cosmos: Path, tmp_path: Path) -> None:
    build(cosmos, tmp_path / "all")
    train = pl.read_parquet(cosmos / "train.parquet")
    write_parquet(train.reverse().head(30), cosmos / "train.parquet")
    build(cosmos, tmp_path / "some")
    every = read(tmp_path / "all", "train").select("row_id", "order", "template")
    some = read(tmp_path / "some", "train").select("row_id", "order", "template")
    assert some.join(every, on=["row_id", "order", "template"]).height == 30
    assert every["order"].n_unique() == 60


def test_a_passage_outside_the_input_is_pointed_out(cosmos: Path, tmp_path: Path) -> None:
    moved = TEMPLATES | {"ask": {**TEMPLATES["ask"], "instruction": "{{ context }}", "input": "{{ question }}"}}
    checks = {check.name: check for check in build(cosmos, tmp_path / "moved", moved).checks}
    assert not checks["passages_can_be_cut"].passed
    assert not checks["passages_can_be_cut"].blocking
    asked = read(tmp_path / "moved", "train").filter(template="ask")
    assert checks["passages_can_be_cut"].metadata == {"ask": asked.height}
    assert asked["passage_start"].to_list() == [-1] * asked.height


def test_a_held_out_template_asks_every_question_and_teaches_none(cosmos: Path, tmp_path: Path) -> None:
    unseen = {**TEMPLATES["choose"], "use": ["held_out"], "instruction": "Which one?"}
    build(cosmos, tmp_path / "before")
    outcome = build(cosmos, tmp_path / "out", TEMPLATES | {"unseen": unseen})
    assert outcome.tables["instructions"] == [
        "train.parquet", "valid.parquet", "valid.unseen.parquet", "test.parquet", "test.unseen.parquet",
    ]  # fmt: skip
    asked = read(tmp_path / "out", "valid.unseen")
    assert asked["instruction_id"].to_list()[:2] == ["cosmos/valid/0:unseen", "cosmos/valid/1:unseen"]
    assert set(asked["split"]) == {"valid.unseen"}
    for split in ("train", "valid"):
        assert read(tmp_path / "before", split).equals(read(tmp_path / "out", split))


def test_reasoning_comes_before_the_answer_and_its_mark(cosmos: Path, tmp_path: Path) -> None:
    thinking = {
        "ask": {
            "instruction": "{{ question }} Think first.",
            "input": "{{ context }}",
            "system": "You read the label {{ label }}.",
            "rationale": "It says {{ answer0 }}.",
            "answer_after": "Answer:",
            "output": "{{ [answer0, answer1, answer2, answer3][label] }}",
        }
    }
    build(cosmos, tmp_path / "out", thinking, splits=["train", "valid"])
    row = read(tmp_path / "out", "valid").row(1, named=True)
    assert row["output"] == "It says thing 0 of 1.\nAnswer: thing 1 of 1"
    assert (row["rationale"], row["answer_after"]) == ("It says thing 0 of 1.", "Answer:")
    assert row["system"] == "You read the label 1."


def test_what_was_said_before_stays_with_its_row(tmp_path: Path) -> None:
    tables = tmp_path / "talk"
    rows = {
        "row_id": ["talk/train/0", "talk/train/1"], "group": ["a", "b"], "instruction": ["And?", "Hi"],
        "input": ["", ""],
        "output": ["Yes.", "Ho"], "system": ["Be kind.", None], "history": [[["q", "a"]], []],
        "gold_answers": [["Yes."], ["Ho"]],
    }  # fmt: skip
    write_parquet(
        pl.DataFrame(rows, schema_overrides={"history": pl.List(pl.List(pl.String))}), tables / "train.parquet"
    )
    template = {"system": "{{ system or '' }}", "instruction": "{{ instruction }}", "output": "{{ output }}"}
    columns = ("instruction", "input", "output", "system", "history")
    build(
        tables,
        tmp_path / "out",
        {"follow": template},
        splits=["train"],
        columns=columns,
        passage_column="",
        fmt="alpaca",
    )
    assert read(tmp_path / "out", "train").select("system", "history").rows() == [
        ("Be kind.", [["q", "a"]]),
        (None, []),
    ]


def test_a_preview_is_of_the_texts_and_leaves_them_room(cosmos: Path, tmp_path: Path) -> None:
    shown = build(cosmos, tmp_path / "out").metadata["preview"]
    assert isinstance(shown, dict)
    assert str(shown["markdown"]).splitlines()[0] == "| template | instruction | input | output |"


def test_people_see_an_example_of_every_template(cosmos: Path, tmp_path: Path) -> None:
    examples = build(cosmos, tmp_path / "out").metadata["examples"]
    assert isinstance(examples, dict)
    text = str(examples["markdown"])
    assert "**choose**" in text
    assert "**ask**" in text
    assert "answer  thing" in text
    assert "«Mara walked" in text
