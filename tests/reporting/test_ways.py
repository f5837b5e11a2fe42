from __future__ import annotations

from pathlib import Path
from statistics import stdev

import polars as pl
import pytest
from runs import described

from rc_pipeline.reporting.as_markdown import table_text
from rc_pipeline.reporting.contenders import read_contenders
from rc_pipeline.reporting.document import Table
from rc_pipeline.reporting.scoreboard import Scoreboard, read_scoreboard
from rc_pipeline.reporting.ways import Wordings, over_wordings, probe_table, wording_table

RUNS = read_contenders([described("base")])


def board(folder: Path, verdicts: dict[str, list[bool]]) -> Scoreboard:
    """Return the scores of a run whose verdicts on questions 0, 1, 2 … of some sets are these."""
    paths = {}
    for eval_set, correct in verdicts.items():
        paths["base", eval_set] = folder / eval_set
        paths["base", eval_set].mkdir(parents=True)
        value = 100 * sum(correct) / len(correct)
        pl.DataFrame(
            {"metric": ["accuracy"], "value": [value], "low": [value], "high": [value], "n": [len(correct)]}
        ).write_parquet(folder / eval_set / "scores.parquet")
        keys = [f"q{number}" for number in range(len(correct))]
        pl.DataFrame({"key": keys, "row_id": keys, "accuracy": [float(one) for one in correct]}).write_parquet(
            folder / eval_set / "questions.parquet"
        )
    return read_scoreboard(paths, list(verdicts))


def cells(table: Table | None) -> list[list[str]]:
    lines = table_text(table).splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_one_wording_has_no_spread() -> None:
    assert over_wordings({}) is None
    assert over_wordings({"exam": 50.0}) is None


@pytest.mark.parametrize(("lower_is_better", "worst", "name"), [(False, 40.0, "a"), (True, 60.0, "c")])
def test_wordings_come_to_a_mean_a_spread_and_the_worst(*, lower_is_better: bool, worst: float, name: str) -> None:
    scores = {"b": 40.0, "a": 40.0, "c": 60.0}
    found = over_wordings(scores, lower_is_better=lower_is_better)
    assert found == Wordings(pytest.approx(140 / 3), pytest.approx(stdev(scores.values())), 20.0, worst, name)


def test_a_study_without_other_ways_has_no_such_tables(tmp_path: Path) -> None:
    plain = board(tmp_path, {"c/valid": [True, False], "c/valid.exam": [True, True]})
    assert wording_table(plain, RUNS) is probe_table(plain, RUNS) is None


def test_held_out_templates_are_one_row_a_run_and_measure_and_probes_are_none_of_them(tmp_path: Path) -> None:
    found = board(
        tmp_path,
        {
            "c/valid": [True, True, True, False], "c/valid.exam": [True, True, False, False],
            "c/valid.zh": [True, False, False, False], "c/valid.no_passage": [False] * 4,
        },
    )  # fmt: skip
    assert cells(wording_table(found, RUNS)) == [
        ["`base`", "c/valid accuracy", "75.0", "2", "37.5", "17.7", "25.0", "25.0", "`zh`"]
    ]


def test_a_probe_is_held_against_the_same_questions(tmp_path: Path) -> None:
    found = board(tmp_path, {"c/valid": [True, True, False, False], "c/valid.question_only": [True, False]})
    assert cells(probe_table(found, RUNS)) == [
        ["`base`", "c/valid accuracy", "question only", "2", "100.0", "50.0", "-50.0"]
    ]


def test_a_probe_without_its_set_has_nothing_to_be_held_against(tmp_path: Path) -> None:
    assert probe_table(board(tmp_path, {"c/valid.question_only": [True, False]}), RUNS) is None
