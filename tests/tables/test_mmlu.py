from __future__ import annotations

import io
import tarfile
from pathlib import Path

import polars as pl
import pytest

from rc_pipeline.corpora.readers import CorpusError
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.tables.build import build_tables
from rc_pipeline.tables.quarantine import TablesError

ROW = "1 + 1?,1,2,3,4,B\n"


def build(folder: Path, raw: dict[str, Path], tolerated: float = 0.0) -> Outcome:
    return build_tables(dataset="mmlu", fmt="mmlu", raw=raw, tolerated=tolerated, out=folder / "out")


def archive_of(path: Path, members: dict[str, str]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (" ,1,2,3,4,B\n", "empty_question"),
        ("1 + 1?,1,,3,4,B\n", "empty_answer1"),
        ("1 + 1?,1,2,3,\x01,B\n", "control_character"),
        ("1 + 1?,1,2,3,4,X\n", "answer_not_a_to_d"),
    ],
)
def test_a_bad_row_is_quarantined_and_the_others_keep_their_ids(tmp_path: Path, line: str, reason: str) -> None:
    raw = {"data.tar": archive_of(tmp_path / "data.tar", {"data/dev/sums_dev.csv": ROW + line + ROW})}
    with pytest.raises(TablesError, match="split dev: 1 of 3 rows are bad"):
        build(tmp_path, raw)
    outcome = build(tmp_path, raw, 0.4)
    assert outcome.metadata[f"quarantined: {reason}"] == 1
    table = pl.read_parquet(tmp_path / "out" / "dev.parquet")
    assert table["row_id"].to_list() == ["mmlu/dev/sums/0", "mmlu/dev/sums/2"]


def test_an_archive_without_papers_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TablesError, match="dataset mmlu has no rows"):
        build(tmp_path, {"data.tar": archive_of(tmp_path / "data.tar", {"data/README.txt": "nothing"})})


def test_one_subject_of_a_split_in_two_files_is_an_error(tmp_path: Path) -> None:
    members = {"data/dev/sums_dev.csv": ROW, "more/dev/sums_dev.csv": ROW}
    with pytest.raises((TablesError, CorpusError), match="sums of split dev"):
        build(tmp_path, {"data.tar": archive_of(tmp_path / "data.tar", members)})


def test_the_published_archive_becomes_four_splits(tmp_path: Path) -> None:
    members = {
        "data/README.txt": "about",
        "data/possibly_contaminated_urls.txt": "urls",
        "data/auxiliary_train/mc_test.csv": ROW,
        "data/dev/sums_dev.csv": ROW,
        "data/dev/诗词_dev.csv": "“床前明月光”的作者是？,杜甫,李白,王维,苏轼,B\n",
        "data/test/sums_test.csv": ROW.replace("1 + 1", "2 - 1").replace("B", "A"),
        "data/val/sums_val.csv": "1 + 1?,4,3,2,1,C\n",
    }
    outcome = build(tmp_path, {"data.tar": archive_of(tmp_path / "data.tar", members)})
    tables = {split: pl.read_parquet(tmp_path / "out" / f"{split}.parquet") for split in ("train", "dev", "valid")}
    assert sorted(outcome.tables["mmlu"]) == ["dev.parquet", "test.parquet", "train.parquet", "valid.parquet"]
    columns = ("row_id", "subject", "question", "label", "gold_answers")
    assert tables["dev"].select(columns).rows() == [
        ("mmlu/dev/sums/0", "sums", "1 + 1?", 1, ["2"]),
        ("mmlu/dev/诗词/0", "诗词", "“床前明月光”的作者是？", 1, ["李白"]),
    ]
    assert tables["dev"].schema["label"] == pl.Int8
    assert outcome.metadata["subjects"] == 3
    # The same question with the same answers stands in train and dev, and another one with its words in valid.
    (shared,) = (check for check in outcome.checks if check.name == "splits_are_disjoint")
    assert (shared.passed, shared.blocking, shared.metadata) == (False, False, {"shared": 1})


def test_a_test_paper_without_answers_has_no_gold(tmp_path: Path) -> None:
    path = tmp_path / "sums.csv"
    path.write_text("id,question,A,B,C,D\n0,1 + 1?,1,2,3,4\n")
    outcome = build(tmp_path, {"sums_test.csv": path})
    table = pl.read_parquet(tmp_path / "out" / "test.parquet")
    assert table.select("label", "gold_answers").rows() == [(None, [])]
    assert outcome.metadata["rows without an answer"] == 1
