from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.tables.build import build_tables
from rc_pipeline.tables.quarantine import TablesError

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
COLUMNS = {"id": "编号", "passage": "文章", "question": "问题", "answer": "答案"}


def row(number: int, **changes: object) -> dict[str, object]:
    whole = {"编号": f"第{number}号", "文章": "鲸鱼是哺乳动物。", "问题": f"问题{number}？", "答案": "不是"}
    return whole | changes


def build(folder: Path, files: dict[str, str], columns: dict[str, str] = COLUMNS, tolerated: float = 0.0) -> Outcome:
    raw = {name: folder / name for name in files}
    for name, text in files.items():
        raw[name].write_text(text, encoding="utf-8")
    return build_tables(
        dataset="mine", fmt="records", raw=raw, tolerated=tolerated, out=folder / "out", options={"columns": columns}
    )


def lines(*rows: dict[str, object]) -> str:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows)


@pytest.mark.parametrize("name", ["split", "row_id", "gold_answers", "source_file", "group", "history"])
def test_a_name_that_is_needed_for_something_else_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(TablesError, match=f"columns: {name} cannot be a name here"):
        build(tmp_path, {"train.jsonl": lines(row(1))}, {name: "问题"})


def test_answers_is_made_from_answer(tmp_path: Path) -> None:
    with pytest.raises(TablesError, match="answers is made from answer, where a JSON list holds several"):
        build(tmp_path, {"train.jsonl": lines(row(1))}, {"answers": "答案"})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"问题": " "}, "empty_question"),
        ({"编号": ""}, "empty_id"),
        ({"答案": ""}, "empty_answer"),
        ({"文章": "a\0b"}, "control_character"),
        ({"答案": ["不是", "a\0b"]}, "control_character"),
        ({"编号": "第1号"}, "duplicate_id"),
        ({"问题": None}, "missing_field"),
    ],
)
def test_a_row_with_a_fault_is_quarantined(tmp_path: Path, changes: dict[str, object], reason: str) -> None:
    files = {"train.jsonl": lines(row(1), row(2, **changes), row(3))}
    with pytest.raises(TablesError, match=rf"1 of 3 rows are bad(.|\n)*train\.jsonl, line 2: .*\({reason}\)"):
        build(tmp_path, files)
    build(tmp_path, files, tolerated=0.4)
    assert pl.read_parquet(tmp_path / "out" / "quarantine" / "mine.parquet")["reason"].to_list() == [reason]
    assert pl.read_parquet(tmp_path / "out" / "train.parquet")["row_id"].to_list() == [
        "mine/train/第1号",
        "mine/train/第3号",
    ]


def test_ids_are_unique_in_a_split_and_not_across_splits(tmp_path: Path) -> None:
    with pytest.raises(TablesError, match=r"train-b\.jsonl, line 1: 编号 is '第1号' \(duplicate_id\)"):
        build(tmp_path, {"train-a.jsonl": lines(row(1)), "train-b.jsonl": lines(row(1))})
    outcome = build(tmp_path, {"train.jsonl": lines(row(1)), "test.jsonl": lines(row(1, 文章="别的文章。"))})
    assert all(check.passed for check in outcome.checks)


def test_a_passage_in_two_splits_is_a_warning(tmp_path: Path) -> None:
    outcome = build(tmp_path, {"train.jsonl": lines(row(1)), "test.jsonl": lines(row(2))})
    assert [check.name for check in outcome.checks if not check.passed] == ["splits_are_disjoint"]


def test_without_a_passage_rows_that_ask_the_same_belong_together(tmp_path: Path) -> None:
    build(tmp_path, {"train.csv": "q,l\n甲,0\n甲,1\n乙,0\n"}, {"question": "q", "label": "l"})
    table = pl.read_parquet(tmp_path / "out" / "train.parquet")
    assert (table["group"].n_unique(), table["gold_answers"].to_list()) == (2, [["0"], ["1"], ["0"]])


def test_rows_become_a_table_with_accepted_answers(tmp_path: Path) -> None:
    files = {
        "train.jsonl": lines(row(1, 答案=["不是", "否"]), row(2)),
        "test.jsonl": lines(row(3, 文章="测试。", 答案=None)),
    }
    outcome = build(tmp_path, files)
    assert outcome.tables["mine"] == ["train.parquet", "test.parquet"]
    train = pl.read_parquet(tmp_path / "out" / "train.parquet")
    assert train.columns == [
        "row_id", "split", "id", "passage", "question", "answer", "answers", "group", "gold_answers", "source_file",
        "source_line",
    ]  # fmt: skip
    assert train.select("row_id", "answer", "gold_answers", "source_line").rows() == [
        ("mine/train/第1号", "不是", ["不是", "否"], 1),
        ("mine/train/第2号", "不是", ["不是"], 2),
    ]
    test = pl.read_parquet(tmp_path / "out" / "test.parquet")
    assert test.select("answer", "gold_answers").rows() == [(None, [])]
    assert all(check.passed for check in outcome.checks)


def test_columns_may_be_called_after_a_source(tmp_path: Path) -> None:
    build(tmp_path, {"train.csv": "q,u\n甲,网页\n"}, {"question": "q", "source_page": "u"})
    assert pl.read_parquet(tmp_path / "out" / "train.parquet")["source_page"].to_list() == ["网页"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real samples are not here")
def test_real_files_are_read_as_records(tmp_path: Path) -> None:
    for number, (name, columns, rows) in enumerate(
        [
            ("cosmos_qa/valid_first_1000.csv",
             {"id": "id", "passage": "context", "question": "question", "label": "label"}, 1000),
            ("alpaca/alpaca_zh_200.json", {"question": "instruction", "answer": "output"}, 200),
        ]
    ):  # fmt: skip
        path = SHARED / name
        outcome = build_tables(
            dataset="real", fmt="records", raw={f"train{path.suffix}": path}, tolerated=0.01,
            out=tmp_path / str(number), options={"columns": columns},
        )  # fmt: skip
        quarantined = outcome.metadata["quarantined"]
        assert isinstance(quarantined, int)
        assert outcome.metadata["rows of train"] == rows - quarantined
