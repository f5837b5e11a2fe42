from __future__ import annotations

import gzip
import threading
from pathlib import Path

import pytest

from rc_pipeline.corpora.archives import members_of
from rc_pipeline.corpora.readers import CorpusError
from rc_pipeline.corpora.unpacking import unpacked
from tests.corpora.raw_archives import Entry, tar_bytes

GOOD: list[Entry] = [("qa/a.json", bytes(3 << 20)), ("evidence/web/1.txt", b"text")]


def read_all(path: Path) -> list[tuple[str, bytes]]:
    with members_of(path) as members:
        return [(member.name, member.data.read()) for member in members]


@pytest.mark.parametrize(
    "garbage",
    [b"garbage", b"\x1f\x8b", gzip.compress(b"more", mtime=0), gzip.compress(tar_bytes(GOOD), mtime=0), b"\0\0x"],
)
def test_garbage_behind_the_archive_is_an_error(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "garbage.tar.gz"
    path.write_bytes(gzip.compress(tar_bytes(GOOD)) + garbage)
    with pytest.raises(CorpusError, match=r"garbage\.tar\.gz: .* damaged"):
        read_all(path)


def test_zeros_behind_the_archive_are_padding(tmp_path: Path) -> None:
    path = tmp_path / "padded.tar.gz"
    path.write_bytes(gzip.compress(tar_bytes(GOOD)) + bytes(1000))
    assert read_all(path) == GOOD


def test_an_archive_packed_in_several_gzip_members_is_one(tmp_path: Path) -> None:
    whole = tar_bytes(GOOD)
    path = tmp_path / "parts.tar.gz"
    path.write_bytes(b"".join(gzip.compress(whole[at : at + 700_001]) for at in range(0, len(whole), 700_001)))
    assert read_all(path) == GOOD


def test_a_gzip_file_with_a_wrong_checksum_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "wrong.tar.gz"
    whole = bytearray(gzip.compress(tar_bytes(GOOD)))
    whole[-6] ^= 1
    path.write_bytes(bytes(whole))
    with pytest.raises(CorpusError, match="damaged"):
        read_all(path)


def test_a_reader_that_stops_early_leaves_no_thread_behind(tmp_path: Path) -> None:
    path = tmp_path / "large.tar"
    path.write_bytes(tar_bytes([("qa/a.json", bytes(64 << 20))]))

    def stop_early() -> None:
        with unpacked(path) as source:
            source.take(10)
            raise KeyError("enough")

    with pytest.raises(KeyError):
        stop_early()
    assert [thread for thread in threading.enumerate() if thread.name == "unpacking"] == []
