"""What a text of code came to is remembered, and no edit is ever missed for it."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rc_pipeline.lake import code
from rc_pipeline.lake.code import code_hashes

FIRST, SECOND = "def f() -> int:\n    return 1\n", "def f() -> int:\n    return 2\n"


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(code, "MEMORY", tmp_path / "memory.json")
    code._known.cache_clear()
    yield tmp_path / "memory.json"
    code._known.cache_clear()


def _hash(folder: Path, text: str) -> str:
    (folder / "m.py").write_text(text, encoding="utf-8")
    os.utime(folder / "m.py", ns=(1, 1))
    return code_hashes(["m"], folder)["m.py"]


def _hash_of_a_new_process(folder: Path, text: str) -> str:
    code._known.cache_clear()
    return _hash(folder, text)


def test_an_edit_that_leaves_size_and_time_as_they_were_is_seen(tmp_path: Path) -> None:
    assert len(FIRST) == len(SECOND)
    first = _hash_of_a_new_process(tmp_path, FIRST)
    assert _hash_of_a_new_process(tmp_path, SECOND) != first
    assert _hash_of_a_new_process(tmp_path, FIRST) == first


def test_a_comment_is_no_edit_whether_remembered_or_not(tmp_path: Path, memory: Path) -> None:
    first = _hash(tmp_path, FIRST)
    assert _hash(tmp_path, f"# why\n{FIRST}") == first
    memory.unlink()
    assert _hash_of_a_new_process(tmp_path, f'"""It says."""\n\n\n{FIRST}') == first


@pytest.mark.parametrize("damaged", [b"", b"[]", b"{", b"\xff\x00"])
def test_a_memory_that_is_damaged_is_none(tmp_path: Path, memory: Path, damaged: bytes) -> None:
    first = _hash(tmp_path, FIRST)
    memory.write_bytes(damaged)
    assert _hash_of_a_new_process(tmp_path, FIRST) == first


def test_what_another_version_of_the_reader_remembers_is_not_taken(
    tmp_path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _hash(tmp_path, FIRST)
    memory.write_text(memory.read_text().replace(first, "0" * 64))
    assert _hash_of_a_new_process(tmp_path, FIRST) == "0" * 64
    monkeypatch.setattr(code, "_reader", lambda: hashlib.sha256(b"another"))
    assert _hash_of_a_new_process(tmp_path, FIRST) == first


def test_a_text_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _hash(tmp_path, FIRST)
    monkeypatch.setattr(code.ast, "parse", None)
    assert _hash_of_a_new_process(tmp_path, FIRST) == first


def test_who_writes_no_bytecode_remembers_nothing(
    tmp_path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert _hash(tmp_path, FIRST) and not memory.exists()


def test_a_place_that_takes_nothing_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(code, "MEMORY", tmp_path / "file" / "memory.json")
    assert _hash(tmp_path, FIRST)
