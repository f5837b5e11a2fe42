from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.tables.build import build_tables
from rc_pipeline.tables.parallel import NAMES
from rc_pipeline.tables.quarantine import TablesError

LANGUAGES = {"source": "en", "target": "zh"}
ENGLISH = "Good morning.\nThe library opens at nine.\nThank you.\n"
CHINESE = "早上好。\n图书馆九点开门。\n谢谢。\n"


def build(
    folder: Path, files: dict[str, str], tolerated: float = 0.0, languages: dict[str, str] = LANGUAGES
) -> Outcome:
    raw = {name: folder / name for name in files}
    for name, text in files.items():
        raw[name].write_text(text, encoding="utf-8")
    return build_tables(
        dataset="news", fmt="parallel", raw=raw, tolerated=tolerated, out=folder / "out",
        options={"languages": languages},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (("", "早上好。"), "empty_source"),
        (("Good morning.", " "), "empty_target"),
        (("", ""), "blank_pair"),
        (("Good\0morning.", "早上好。"), "control_character"),
        (("No.", "不行。" * 60), "lengths_far_apart"),
    ],
)
def test_a_pair_with_a_fault_is_quarantined_with_its_line(tmp_path: Path, pair: tuple[str, str], reason: str) -> None:
    files = {"train.en": ENGLISH + pair[0] + "\n", "train.zh": CHINESE + pair[1] + "\n"}
    with pytest.raises(TablesError, match=rf"1 of 4 rows are bad(.|\n)*train\.en, line 4: .*\({reason}\)"):
        build(tmp_path, files)
    outcome = build(tmp_path, files, 0.25)
    quarantine = pl.read_parquet(tmp_path / "out" / "quarantine" / "news.parquet")
    assert quarantine.select("source_file", "source_line", "reason").rows() == [("train.en", 4, reason)]
    assert outcome.metadata[f"quarantined: {reason}"] == 1


def test_a_file_that_names_no_split_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="raw file 'news' names no split"):
        build(tmp_path, {"news.en": ENGLISH, "news.zh": CHINESE})


def test_files_without_pairs_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(TablesError, match="split train of dataset news has no rows"):
        build(tmp_path, {"train.en": "", "train.zh": ""})


def test_swapped_sides_are_a_warning(tmp_path: Path) -> None:
    outcome = build(tmp_path, {"train.tsv": "早上好。\tGood morning.\n谢谢。\tThank you.\n"})
    (check,) = (one for one in outcome.checks if one.name == "sides_are_in_their_languages")
    assert (check.passed, check.blocking) == (False, False)
    assert check.metadata == {"train: source in letters of en": 0.0, "train: target in letters of zh": 0.0}


def test_a_language_whose_letters_are_not_known_is_not_judged(tmp_path: Path) -> None:
    outcome = build(tmp_path, {"train.tsv": "nuqneH\t你好\n"}, languages={"source": "tlh", "target": "zh"})
    (check,) = (one for one in outcome.checks if one.name == "sides_are_in_their_languages")
    assert check.passed
    assert list(check.metadata) == ["train: target in letters of zh"]


def test_a_sentence_in_two_splits_is_a_warning(tmp_path: Path) -> None:
    outcome = build(tmp_path, {"train.tsv": "Hi\t你好\nBye\t再见\n", "test.tsv": "Hi\t您好\n"})
    assert [check.name for check in outcome.checks if not check.passed] == ["splits_are_disjoint"]


def test_files_of_lines_and_of_records_become_one_table(tmp_path: Path) -> None:
    files = {"train-news.en": ENGLISH, "train-news.zh": CHINESE, "train-more.jsonl": '{"en": "2024", "zh": "2024"}\n',
             "dev.en": "Hi\n", "dev.zh": "你好\n"}  # fmt: skip
    outcome = build(tmp_path, files)
    assert outcome.tables["news"] == ["train.parquet", "valid.parquet"]
    assert outcome.metadata["pairs that are the same on both sides"] == 1
    table = pl.read_parquet(tmp_path / "out" / "train.parquet")
    assert table.columns == [
        "row_id", "split", "source", "target", *NAMES, "group", "gold_answers", "source_file", "source_line",
    ]  # fmt: skip
    assert table.select("row_id", "target", "gold_answers", "source_file", "source_line").rows() == [
        ("news/train/more/0", "2024", ["2024"], "train-more.jsonl", 1),
        ("news/train/news/0", "早上好。", ["早上好。"], "train-news.en", 1),
        ("news/train/news/1", "图书馆九点开门。", ["图书馆九点开门。"], "train-news.en", 2),
        ("news/train/news/2", "谢谢。", ["谢谢。"], "train-news.en", 3),
    ]
    assert table.select(*NAMES).unique().rows() == [("en", "zh", "English", "Chinese", "英语", "中文")]
    assert all(check.passed for check in outcome.checks)
