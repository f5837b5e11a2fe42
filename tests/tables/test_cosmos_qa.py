from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest

from rc_pipeline.corpora.cosmos_qa import LABEL, TEXT_FIELDS
from rc_pipeline.corpora.readers import CorpusError
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.tables.build import build_tables
from rc_pipeline.tables.quarantine import TablesError
from tests.pace import within

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "cosmos_qa"
Fields = dict[str, str]


def row(number: int, **changes: str) -> Fields:
    return {name: f"{name} of {number}" for name in TEXT_FIELDS} | {LABEL: str(number % 4)} | changes


def csv_file(path: Path, rows: Iterable[Fields]) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, [*TEXT_FIELDS, LABEL], lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode())
    return path


def build(folder: Path, tolerated: float = 0.01, **raw: Path) -> Outcome:
    names = {f"{split}.{'jsonl' if split == 'test' else 'csv'}": path for split, path in raw.items()}
    return build_tables(dataset="cosmos", fmt="cosmos_qa", raw=names, tolerated=tolerated, out=folder / "out")


@pytest.mark.parametrize("data", [b"", b"id,context,question,answer0,answer1,answer2,answer3,label\r\n"])
def test_a_file_without_rows_is_an_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(data)
    with pytest.raises(TablesError, match=r"mine\.csv: split train of dataset cosmos has no rows\. Restore"):
        build(tmp_path, train=path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"label": "4"}, "label_not_0_to_3", "label is '4'"),
        ({"label": "-1"}, "label_not_0_to_3", "label is '-1'"),
        ({"label": "one"}, "label_not_0_to_3", "label is 'one'"),
        ({"label": "1.0"}, "label_not_0_to_3", "label is '1.0'"),
        ({"label": "01"}, "label_not_0_to_3", "label is '01'"),
        ({"label": "1\n"}, "label_not_0_to_3", "label is"),
        ({"label": ""}, "label_not_0_to_3", "label is ''"),
        ({"context": ""}, "empty_context", "context is ''"),
        ({"question": " \t"}, "empty_question", "question is"),
        ({"answer2": "\u00a0"}, "empty_answer2", "answer2 is"),
        ({"id": ""}, "empty_id", "id is ''"),
        ({"context": "a\0b"}, "control_character", "context is 'a\\x00b'"),
        ({"answer0": "a\x1bb"}, "control_character", "answer0 is"),
    ],
)
def test_a_bad_value_is_quarantined_and_too_many_are_an_error(
    tmp_path: Path, changes: Fields, reason: str, field: str
) -> None:
    rows = [row(0), row(1, **changes), row(2)]
    path = csv_file(tmp_path / "train.csv", rows)
    with pytest.raises(TablesError) as raised:
        build(tmp_path, 0.33, train=path)
    said = str(raised.value)
    assert "1 of 3 rows are bad (33.3%; tolerated_bad_rows is 33.0%)" in said
    assert f"train.csv, line 3: {field}" in said
    assert f"({reason})" in said
    assert not (tmp_path / "out").exists()

    outcome = build(tmp_path, 0.34, train=path)
    table = pl.read_parquet(tmp_path / "out" / "train.parquet")
    assert table["row_id"].to_list() == ["cosmos/train/0", "cosmos/train/2"]
    quarantine = pl.read_parquet(tmp_path / "out" / "quarantine" / "cosmos.parquet")
    assert quarantine.select("dataset", "table", "split", "source_file", "source_line", "reason").rows() == [
        ("cosmos", "cosmos", "train", "train.csv", 3, reason)
    ]
    (changed,) = changes
    assert json.loads(quarantine["row"][0])[changed] == changes[changed]
    assert outcome.metadata["quarantined"] == 1
    assert outcome.metadata[f"quarantined: {reason}"] == 1


def test_all_rows_bad_is_an_error_whatever_is_tolerated(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "train.csv", [row(0, label="x")])
    with pytest.raises(TablesError, match="has no rows"):
        build(tmp_path, 1.0, train=path)


def test_all_splits_with_too_many_bad_rows_are_named_at_once_with_the_first_failures(tmp_path: Path) -> None:
    train = csv_file(tmp_path / "train.csv", [row(number, label="9") for number in range(20)])
    valid = csv_file(tmp_path / "valid.csv", [row(number, id="") for number in range(20, 22)])
    with pytest.raises(TablesError) as raised:
        build(tmp_path, train=train, valid=valid)
    said = str(raised.value)
    assert "split train: 20 of 20" in said
    assert "and 15 more" in said
    assert "split valid: 2 of 2" in said
    assert len(said.splitlines()) == 1 + 5 + 1 + 1 + 2


def test_a_bad_split_does_not_hide_behind_a_large_good_one(tmp_path: Path) -> None:
    train = csv_file(tmp_path / "train.csv", [row(number) for number in range(500)])
    valid = csv_file(tmp_path / "valid.csv", [row(number, label="9" * (number == 501)) for number in range(501, 511)])
    with pytest.raises(TablesError, match="split valid: 10 of 10 rows"):
        build(tmp_path, train=train, valid=valid)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["tranin.csv"], "'tranin.csv' names no split. Begin the name"),
        (["train.csv", "train.jsonl"], "two raw files are the whole of split train. Keep one"),
    ],
)
def test_raw_files_must_name_their_split(tmp_path: Path, names: list[str], said: str) -> None:
    path = csv_file(tmp_path / "x.csv", [row(0)])
    with pytest.raises((TablesError, CorpusError), match=said):
        build_tables(dataset="d", fmt="cosmos_qa", raw=dict.fromkeys(names, path), tolerated=0.0, out=tmp_path / "out")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"absent\.csv: the file cannot be read \(No such file"):
        build(tmp_path, train=tmp_path / "absent.csv")


def test_an_unknown_format_and_no_files_are_errors(tmp_path: Path) -> None:
    with pytest.raises(TablesError, match="format is 'sqad', which there are no tables for"):
        build_tables(dataset="d", fmt="sqad", raw={"a": tmp_path}, tolerated=0.0, out=tmp_path / "out")
    with pytest.raises(TablesError, match="there are no raw files"):
        build_tables(dataset="d", fmt="cosmos_qa", raw={}, tolerated=0.0, out=tmp_path / "out")


def test_correcting_a_bad_row_does_not_rename_the_others(tmp_path: Path) -> None:
    ids = []
    for label in ("x", "1"):
        path = csv_file(tmp_path / "train.csv", [row(0), row(1, label=label), row(2)])
        build(tmp_path, 0.5, train=path)
        ids.append(pl.read_parquet(tmp_path / "out" / "train.parquet")["row_id"].to_list())
    assert ids[0] == [ids[1][0], ids[1][2]]


def test_repeated_ids_and_rows_are_kept_and_counted(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "train.csv", [row(0), row(0), row(1, id="id of 0"), row(2)])
    outcome = build(tmp_path, 0.0, train=path)
    table = pl.read_parquet(tmp_path / "out" / "train.parquet")
    assert table["row_id"].to_list() == [f"cosmos/train/{n}" for n in range(4)]
    assert (outcome.metadata["rows with a repeated id"], outcome.metadata["fully duplicated rows"]) == (2, 1)


def test_a_context_in_two_splits_is_a_warning(tmp_path: Path) -> None:
    train = csv_file(tmp_path / "train.csv", [row(0), row(1)])
    valid = csv_file(tmp_path / "valid.csv", [row(2, context="context of 1"), row(3)])
    checks = {check.name: check for check in build(tmp_path, 0.0, train=train, valid=valid).checks}
    shared = checks["splits_are_disjoint"]
    assert (shared.passed, shared.blocking, shared.metadata) == (False, False, {"shared": 1})
    assert checks["labels_in_range"].passed
    assert checks["quarantine_within_tolerance"].passed


def test_a_dataset_becomes_typed_tables_with_their_places(tmp_path: Path) -> None:
    train = csv_file(tmp_path / "a.csv", [row(0, context="two\nlines"), row(1)])
    test = tmp_path / "b.jsonl"
    fields = row(7)
    del fields[LABEL]
    test.write_text(json.dumps(fields) + "\n")
    outcome = build(tmp_path, train=train, test=test)
    assert outcome.tables["cosmos"] == ["train.parquet", "test.parquet"]
    assert outcome.tables["quarantine"] == outcome.tables["cosmos_quarantine"] == ["quarantine/cosmos.parquet"]
    assert (outcome.metadata["rows of train"], outcome.metadata["rows of test"]) == (2, 1)
    whole = pl.concat([pl.read_parquet(tmp_path / "out" / name) for name in outcome.tables["cosmos"]])
    assert whole.columns == [
        "row_id",
        "split",
        *TEXT_FIELDS,
        LABEL,
        "group",
        "gold_answers",
        "source_file",
        "source_line",
    ]
    assert whole.schema[LABEL] == pl.Int8
    assert whole.select("row_id", LABEL, "source_file", "source_line").rows() == [
        ("cosmos/train/0", 0, "train.csv", 2),
        ("cosmos/train/1", 1, "train.csv", 4),
        ("cosmos/test/0", None, "test.jsonl", 1),
    ]


def test_25_thousand_rows_take_less_than_two_seconds(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "train.csv", (row(number, context=f"word{number} " * 73) for number in range(25_262)))
    build(tmp_path, valid=csv_file(tmp_path / "valid.csv", [row(0)]))
    with within(2):
        build(tmp_path, train=path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real samples are not here")
def test_the_real_first_thousand_rows_pass_with_821_contexts(tmp_path: Path) -> None:
    outcome = build(tmp_path, 0.0, valid=SHARED / "valid_first_1000.csv")
    assert (outcome.metadata["rows of valid"], outcome.metadata["contexts"]) == (1000, 821)
    assert outcome.metadata["quarantined"] == 0


def test_a_test_file_may_have_a_label_column_filled_or_not(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "x.csv", [row(1), row(2, label="")])
    build(tmp_path, 0.0, test=path)
    assert pl.read_parquet(tmp_path / "out" / "test.parquet")[LABEL].to_list() == [1, None]
    lines = [json.dumps(row(1) | {LABEL: label}) for label in (1, None, "\ud800", [1], True)]
    (tmp_path / "x.jsonl").write_text("\n".join(lines))
    build(tmp_path, 0.6, test=tmp_path / "x.jsonl")
    assert pl.read_parquet(tmp_path / "out" / "test.parquet")[LABEL].to_list() == [1, None]
    quarantine = pl.read_parquet(tmp_path / "out" / "quarantine" / "cosmos.parquet")
    assert sorted(quarantine["reason"]) == ["bad_utf8", "label_not_0_to_3", "label_not_0_to_3"]
