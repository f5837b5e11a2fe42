from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rc_pipeline.instructions.shots import ShotPlan, ShotPool, ShotsError, question_of
from rc_pipeline.lake.frames import write_parquet

QUESTIONS = [
    "Who wrote the letter?",
    "Where is the harbour?",
    "谁写了这封信？",
    "Why did the boat sink?",
    "港口在哪里？",
]


def row(n: int, **changes: Any) -> dict[str, Any]:
    passage = f"Passage {n // 2}."
    return {
        "row_id": f"d/train/{n}", "template": "ask", "group": f"g{n // 2}", "system": None,
        "instruction": QUESTIONS[n % len(QUESTIONS)], "input": f"{passage} End", "passage_start": 0,
        "passage_end": len(passage), "output": f"answer {n}", "order": 100 - n,
    } | changes  # fmt: skip


@pytest.fixture
def pool_file(tmp_path: Path) -> Path:
    rows = [row(n) for n in range(10)] + [row(n, template="other") for n in range(10)] + [row(11, output=None)]
    write_parquet(pl.DataFrame(rows, schema_overrides={"system": pl.String}), tmp_path / "shots.parquet")
    return tmp_path / "shots.parquet"


def outputs(file: Path, plan: ShotPlan, asked: dict[str, Any]) -> list[str]:
    return [shot["output"] for shot in ShotPool([file], plan).shots(asked)]


def test_more_examples_than_there_are_is_an_error_with_the_number(pool_file: Path) -> None:
    with pytest.raises(
        ShotsError, match=r"prompt\.shots is 9, and 8 training rows are not of the passage of d/train/0"
    ):
        outputs(pool_file, ShotPlan(9), row(0))


def test_fixed_rows_must_be_there_and_of_another_passage(pool_file: Path) -> None:
    with pytest.raises(ShotsError, match="d/train/99: no such rows"):
        ShotPool([pool_file], ShotPlan(1, "fixed", ["d/train/99"]))
    with pytest.raises(ShotsError, match="d/train/1: of the same passage as d/valid/0"):
        outputs(pool_file, ShotPlan(1, "fixed", ["d/train/1"]), row(0, row_id="d/valid/0"))
    assert outputs(pool_file, ShotPlan(2, "fixed", ["d/train/7", "d/train/2"]), row(0)) == ["answer 7", "answer 2"]


@pytest.mark.parametrize("how", ["random", "nearest"])
def test_no_example_is_of_the_same_passage_or_another_template(pool_file: Path, how: Any) -> None:
    for n in range(10):
        shown = outputs(pool_file, ShotPlan(8, how), row(n))
        assert sorted(shown) == sorted(f"answer {other}" for other in range(10) if other // 2 != n // 2)


def test_random_examples_depend_on_the_seed_and_the_row_alone(pool_file: Path) -> None:
    asked = row(0, row_id="d/valid/5", group="elsewhere")
    first = outputs(pool_file, ShotPlan(3, seed=1), asked)
    assert first == outputs(pool_file, ShotPlan(3, seed=1), asked | {"input": "other"})
    assert len({tuple(outputs(pool_file, ShotPlan(3, seed=seed), asked)) for seed in range(8)}) > 3
    assert len({tuple(outputs(pool_file, ShotPlan(3), asked | {"row_id": f"v{n}"})) for n in range(8)}) > 3


@pytest.mark.parametrize(
    ("question", "expected"),
    [("Where is the old harbour?", {"answer 1", "answer 6"}), ("谁写的这封信", {"answer 2", "answer 7"})],
)
def test_the_nearest_examples_ask_what_is_asked_and_the_best_comes_last(
    pool_file: Path, question: str, expected: set[str]
) -> None:
    asked = row(0, row_id="d/valid/5", group="elsewhere", instruction=question)
    shown = outputs(pool_file, ShotPlan(3, "nearest"), asked)
    assert set(shown[1:]) == expected


def test_the_passage_is_no_part_of_the_question() -> None:
    assert question_of(row(3)).split() == ["Why", "did", "the", "boat", "sink?", "End"]
    assert question_of(row(3, passage_start=-1, passage_end=-1)).split()[-3:] == ["Passage", "1.", "End"]
