from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from rc_pipeline.corpora.inventory import Place, raw_file_list, usual_place
from rc_pipeline.corpora.readers import CorpusError


def names_and_bytes(raw: dict[str, Path]) -> list[tuple[str, bytes]]:
    return [(file.name, file.data.read()) for file in raw_file_list(raw)]


@pytest.mark.parametrize("name", ["testing.json", "alpaca.json", "my-train.json", "", "trainset.csv"])
def test_a_name_that_begins_with_no_split_is_an_error(name: str) -> None:
    with pytest.raises(CorpusError, match="names no split. Begin the name"):
        usual_place(name)


@pytest.mark.parametrize(
    ("name", "split", "part"),
    [
        ("train.json", "train", ""),
        ("train-1.json", "train", "1"),
        ("dev-v1.1.json", "valid", "v1.1"),
        ("validation.parquet", "valid", ""),
        ("test/tasks/a.json", "test", "tasks/a"),
        ("train_zh.tsv", "train", "zh"),
        ("test.jsonl.gz", "test", ""),
    ],
)
def test_a_name_begins_with_its_split(name: str, split: str, part: str) -> None:
    assert usual_place(name) == Place(split, part)


def test_a_link_in_a_folder_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.json").symlink_to(secret)
    with pytest.raises(CorpusError, match="links in a folder of raw files are not followed"):
        names_and_bytes({"train": tmp_path / "raw"})


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"train-\xc4\xe3.jsonl")).write_text("{}")
    with pytest.raises(CorpusError, match=r"train-\\udcc4\\udce3.jsonl': the name of the file or folder is not UTF-8"):
        names_and_bytes({"train": tmp_path})


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"gone\.csv: the file cannot be read \(No such file"):
        names_and_bytes({"train.csv": tmp_path / "gone.csv"})


def test_files_folders_and_archives_give_their_files_in_order_and_no_litter(tmp_path: Path) -> None:
    folder = tmp_path / "tasks"
    (folder / "sub").mkdir(parents=True)
    for name in ("b.json", "a.json", "sub/c.json", ".DS_Store", "sub/._c.json"):
        (folder / name).write_text(name)
    with tarfile.open(tmp_path / "packed.tar.gz", "w:gz") as tar:
        tar.add(folder, "tasks")
    (tmp_path / "one.csv").write_text("one")
    raw = {"valid": folder, "test.tar.gz": tmp_path / "packed.tar.gz", "train.csv": tmp_path / "one.csv"}
    found = names_and_bytes(raw)
    inside = {"a.json", "b.json", "sub/c.json"}
    assert {name for name, _ in found[:3]} == {f"test/tasks/{name}" for name in inside}
    assert found[3:] == [
        ("train.csv", b"one"),
        ("valid/a.json", b"a.json"),
        ("valid/b.json", b"b.json"),
        ("valid/sub/c.json", b"sub/c.json"),
    ]
