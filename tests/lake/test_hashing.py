from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rc_pipeline.lake import hashing
from rc_pipeline.lake.hashing import NotPlain, RememberedHashes, content_hash, files_below, stamp


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of data that has been left alone for a while."""
    place = tmp_path / "data"
    for name, text in {"b/2.txt": "two", "a.txt": "one", "b/1.txt": "一", "c/d/3.txt": ""}.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    settle(place)
    return place


def settle(place: Path) -> None:
    old = time.time() - 60
    for path in place.rglob("*"):
        os.utime(path, (old, old))


@contextmanager
def later(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look a minute later, when all that was written has settled."""
    with monkeypatch.context() as patch:
        now = time.time
        patch.setattr(hashing.time, "time", lambda: now() + 60)
        yield


@pytest.fixture
def hashes(tmp_path: Path) -> RememberedHashes:
    return RememberedHashes(tmp_path / "hashes")


@pytest.mark.parametrize("kind", ["link to a file", "link to a folder", "dangling link", "pipe"])
def test_a_folder_with_anything_but_plain_files_is_refused(folder: Path, hashes: RememberedHashes, kind: str) -> None:
    odd = folder / "b" / "odd"
    if kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to({"link to a file": folder / "a.txt", "link to a folder": folder}.get(kind, folder / "none"))
    for look in (hashes.of, stamp):
        with pytest.raises(NotPlain, match=r"b/odd: it is a (link|device or a pipe)\. Keep regular files only"):
            look(folder)


@pytest.mark.parametrize("edit", ["content", "name", "added", "removed", "moved"])
def test_whatever_changes_in_a_folder_changes_its_hash_and_its_stamp(
    folder: Path, hashes: RememberedHashes, edit: str
) -> None:
    before = hashes.of(folder), stamp(folder)
    match edit:
        case "content":
            (folder / "a.txt").write_text("eno")
        case "name":
            (folder / "a.txt").rename(folder / "A.txt")
        case "added":
            (folder / "new.txt").touch()
        case "removed":
            (folder / "c/d/3.txt").unlink()
        case "moved":
            (folder / "a.txt").rename(folder / "b/a.txt")
    after = hashes.of(folder), stamp(folder)
    assert after[0] != before[0]
    assert after[1] != before[1]


def test_an_edit_that_is_undone_leaves_the_hash_and_changes_the_stamp(folder: Path, hashes: RememberedHashes) -> None:
    before = hashes.of(folder), stamp(folder)
    (folder / "a.txt").write_text("changed")
    (folder / "a.txt").write_text("one")
    settle(folder)
    assert hashes.of(folder) == before[0]
    assert stamp(folder) != before[1]


def test_a_folder_has_the_same_hash_wherever_it_lies(folder: Path, hashes: RememberedHashes) -> None:
    here = hashes.of(folder)
    assert hashes.of(folder.rename(folder.with_name("elsewhere"))) == here


def test_a_folder_that_was_left_alone_is_not_read_again(
    folder: Path, hashes: RememberedHashes, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    real = hashing.sha256_file
    monkeypatch.setattr(hashing, "sha256_file", lambda path: read.append(path.name) or real(path))
    with later(monkeypatch):
        first = hashes.of(folder)
        assert sorted(read) == ["1.txt", "2.txt", "3.txt", "a.txt"]
        assert hashes.of(folder) == first
    assert len(read) == 4
    (folder / "a.txt").write_text("just now")
    assert hashes.of(folder) == hashes.of(folder) != first
    assert len(read) == 12  # what changed a moment ago may change again under the same time stamp


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_edit_that_keeps_size_and_time_of_a_large_file_is_seen(
    folder: Path, hashes: RememberedHashes, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    weights = folder / "weights"
    weights.write_bytes(b"0" * (hashing.LARGE_FILE_BYTES + 1))
    what, kept = weights if kind == "file" else folder, weights.stat()
    with later(monkeypatch):
        before = hashes.of(what)
        with weights.open("r+b") as file:
            file.write(b"1")
        os.utime(weights, ns=(kept.st_atime_ns, kept.st_mtime_ns))
        assert hashes.of(what) != before


def test_files_come_by_name_and_before_the_folders_beside_them(folder: Path) -> None:
    names = [os.path.relpath(entry.path, folder) for entry in files_below(folder)]
    assert names == ["a.txt", "b/1.txt", "b/2.txt", "c/d/3.txt"]


def test_the_content_hash_does_not_depend_on_how_the_rows_lie_in_the_file(tmp_path: Path) -> None:
    rows = 2 * hashing.ROWS_PER_HASH + 7
    table = pa.table(
        {
            "text": pa.array([f"text {n} 中文" for n in range(rows)], pa.large_string()),
            "gaps": pa.array([None if n % 3 else f"{n}" for n in range(rows)], pa.large_string()),
            "truth": pa.array([n % 2 == 0 for n in range(rows)]),
            "numbers": pa.array([None if n % 5 else n for n in range(rows)]),
        }
    )
    found = set()
    for size in (1, 100, hashing.ROWS_PER_HASH, rows):
        for compression in ("zstd", "none"):
            pq.write_table(table, tmp_path / "t.parquet", row_group_size=size, compression=compression)
            found.add(content_hash(tmp_path / "t.parquet"))
    assert len(found) == 1
    pq.write_table(table.slice(1), tmp_path / "t.parquet")
    assert content_hash(tmp_path / "t.parquet") not in found


def test_the_content_hash_sees_where_one_text_ends_and_the_next_begins(tmp_path: Path) -> None:
    hashes = set()
    for texts in (["ab", "c"], ["a", "bc"], ["abc", ""], ["abc", None]):
        pq.write_table(pa.table({"text": pa.array(texts, pa.large_string())}), tmp_path / "t.parquet")
        hashes.add(content_hash(tmp_path / "t.parquet"))
    assert len(hashes) == 4


def test_a_file_that_was_put_into_a_folder_and_taken_away_again_leaves_its_mark(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.json").write_text("[]")
    before = hashing.stamp(tmp_path)
    assert hashing.stamp(tmp_path) == before
    (tmp_path / "sub" / "b.json").write_text("[]")
    (tmp_path / "sub" / "b.json").unlink()
    assert hashing.stamp(tmp_path) != before
