from __future__ import annotations

import bz2
import gzip
import lzma
import random
import tarfile
from pathlib import Path

import pytest

from rc_pipeline.corpora import archives, unpacking
from rc_pipeline.corpora.archives import members_of
from rc_pipeline.corpora.readers import CorpusError
from tests.corpora.raw_archives import Entry, tar_bytes, write_tar_gz

NOISE = random.Random(1).randbytes(40_000)
GOOD: list[Entry] = [("qa/a.json", NOISE), ("evidence/web/1/1_2.txt", b"text\n"), ("README", b"")]


def read_all(path: Path) -> list[tuple[str, bytes]]:
    with members_of(path) as members:
        return [(member.name, member.data.read()) for member in members]


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_an_archive_that_is_cut_off_anywhere_is_an_error(tmp_path: Path, pack: object) -> None:
    whole = pack(tar_bytes(GOOD))  # type: ignore[operator]
    path = tmp_path / "cut.tar"
    end = len(whole) if pack is not bytes else whole.rindex(b"text\n") + 5
    for cut in [1, 10, 300, 512, 600, *range(1024, end, 4999), end // 2, end - 1]:
        path.write_bytes(whole[:cut])
        with pytest.raises(CorpusError, match=r"cut\.tar"):
            read_all(path)


def test_a_plain_archive_cut_off_between_two_members_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "cut.tar"
    path.write_bytes(tar_bytes(GOOD)[: 512 + 40_448])
    with pytest.raises(CorpusError, match=r"cut off or damaged.*after the 1 members"):
        read_all(path)


def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end(tmp_path: Path) -> None:
    whole = bytearray(tar_bytes(GOOD))
    whole[512 + 40_448 + 150] ^= 0xFF
    path = tmp_path / "damaged.tar"
    path.write_bytes(bytes(whole))
    with pytest.raises(CorpusError, match="damaged"):
        read_all(path)


def test_a_flipped_bit_in_a_gzip_file_is_an_error(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(tar_bytes(GOOD)))
    whole[len(whole) // 2] ^= 0x10
    path = tmp_path / "flipped.tar.gz"
    path.write_bytes(bytes(whole))
    with pytest.raises(CorpusError, match="damaged"):
        read_all(path)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (("../evil.txt", b"x"), "leads out"),
        (("evidence/../../evil.txt", b"x"), "leads out"),
        (("/etc/passwd", b"x"), "leads out"),
        (special("evidence/web/a.txt", tarfile.SYMTYPE, "/etc/passwd"), "is a link"),
        (special("evidence/web/a.txt", tarfile.LNKTYPE, "qa/a.json"), "is a link"),
        (special("evidence/web/a.txt", tarfile.CHRTYPE), "is a device"),
        (special("evidence/web/a.txt", tarfile.FIFOTYPE), "is a device"),
        (special("../folder", tarfile.DIRTYPE), "leads out"),
    ],
)
def test_an_archive_with_a_hostile_member_is_refused(tmp_path: Path, entry: Entry, said: str) -> None:
    path = write_tar_gz(tmp_path / "evil.tar.gz", [*GOOD, entry])
    with pytest.raises(CorpusError, match=f"evil.tar.gz: the member .* {said}"):
        read_all(path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "RATIO_FREE_BYTES", 1 << 20)
    path = write_tar_gz(tmp_path / "bomb.tar.gz", [("qa/a.json", bytes(32 << 20))])
    with pytest.raises(CorpusError, match="more than 100 times its size"):
        read_all(path)


def test_a_header_that_hides_a_bomb_is_refused(tmp_path: Path) -> None:
    header = special("x", tarfile.XHDTYPE)
    header.size = 32 << 20
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(gzip.compress(header.tobuf() + bytes(33 << 20)))
    with pytest.raises(CorpusError, match=r"bomb\.tar\.gz: a header says that the name of a member has 33554432 bytes"):
        read_all(path)


def test_an_archive_past_a_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tar_gz(tmp_path / "big.tar.gz", GOOD)
    for module, limit, value, said in (
        (unpacking, "MAX_TOTAL_BYTES", 20_000, "unpacks to more than 20000 bytes"),
        (archives, "MAX_MEMBER_BYTES", 30_000, "says it has 40000 bytes"),
        (archives, "MAX_MEMBERS", 2, "more than 2 members"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, limit, value)
            with pytest.raises(CorpusError, match=said):
                read_all(path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "0 bytes"),
        (b"<html><body>Sign in</body></html>", "HTML"),
        (b"PK\x03\x04" + bytes(600), "zip"),
        (b"just text", "a .tar or .tar.gz archive is expected"),
        (gzip.compress(b"just text", mtime=0), "cut off or damaged"),
        (gzip.compress(b"", mtime=0), "cut off or damaged"),
    ],
)
def test_a_file_that_is_no_archive_is_an_error_that_says_what_it_is(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "triviaqa-rc.tar.gz"
    path.write_bytes(data)
    with pytest.raises(CorpusError, match=said):
        read_all(path)


def test_a_file_that_cannot_be_read_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="No such file"):
        read_all(tmp_path / "absent.tar.gz")


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_members_are_read_in_order_whatever_the_packing(tmp_path: Path, pack: object) -> None:
    path = tmp_path / "good.tar"
    path.write_bytes(pack(tar_bytes([special("qa", tarfile.DIRTYPE), *GOOD])))  # type: ignore[operator]
    assert read_all(path) == GOOD
    with members_of(path) as members:
        assert [member.name for member in members] == [name for name, _ in GOOD]  # type: ignore[misc]


def test_a_name_that_is_not_utf8_is_read_as_latin_1(tmp_path: Path) -> None:
    whole = tar_bytes([("caf\u00e9", b"x")]).replace("caf\u00e9".encode(), b"caf\xe9\x00")
    header = bytearray(whole[:512])
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    path = tmp_path / "latin.tar"
    path.write_bytes(bytes(header) + whole[512:])
    assert read_all(path) == [("caf\u00e9", b"x")]
