from __future__ import annotations

import gzip
import io
import random
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from rc_pipeline.corpora import archives, unpacking, zips
from rc_pipeline.corpora.inventory import raw_file_list
from rc_pipeline.corpora.readers import CorpusError
from rc_pipeline.corpora.zips import gunzipped, zip_members
from tests.corpora.raw_zips import Entry, write_zip

NOISE = random.Random(1).randbytes(40_000)
GOOD: list[Entry] = [("qa/b.json", NOISE), ("qa/a.json", "第一行\n".encode() * 900), ("README", b"")]


def read_all(path: Path) -> list[tuple[str, bytes]]:
    with zip_members(path) as members:
        return [(member.name, member.data.read()) for member in members]


def special(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def flagged(path: Path, name: str, flag: int) -> Path:
    """Set a flag of a member in both of its headers, as if it were encrypted."""
    whole = bytearray(path.read_bytes())
    for mark, flags, called in ((b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)):
        at = whole.find(mark)
        while whole[at + called : at + called + len(name)] != name.encode():
            at = whole.find(mark, at + 1)
        whole[at + flags : at + flags + 2] = struct.pack("<H", flag)
    path.write_bytes(bytes(whole))
    return path


def test_a_zip_that_is_cut_off_anywhere_is_an_error(tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "cut.zip", GOOD).read_bytes()
    path = tmp_path / "cut.zip"
    for cut in [1, 3, 30, 600, *range(1024, len(whole), 4999), len(whole) - 23, len(whole) - 1]:
        path.write_bytes(whole[:cut])
        with pytest.raises(CorpusError, match=r"cut\.zip"):
            read_all(path)


def test_damage_anywhere_is_told_as_an_error_of_the_file_or_does_not_matter(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "damaged.zip", [("a.json", b"[1, 2]" * 50), ("b/c.json", NOISE[:200])])
    whole, good, told = path.read_bytes(), [data for _, data in read_all(path)], 0
    for at in range(len(whole)):
        for bit in (0x01, 0x80):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
            try:
                found = [data for _, data in read_all(path)]
            except CorpusError:
                told += 1
            else:
                assert sorted(found) == sorted(good)
    assert told > len(whole)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (("../evil.json", b"x"), "leads out"),
        (("qa/../../evil.json", b"x"), "leads out"),
        (("qa\\..\\..\\evil.json", b"x"), "leads out"),
        (("/etc/passwd", b"x"), "leads out"),
        (("C:\\evil.json", b"x"), "leads out"),
        ((special("qa/link.json", stat.S_IFLNK | 0o777), b"/etc/passwd"), "is a link"),
        ((special("qa/pipe", stat.S_IFIFO | 0o600), b""), "is a device or a pipe"),
        (("qa/a.json", b"again"), "is in the archive twice"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_a_hostile_member_is_refused_whole(tmp_path: Path, entry: Entry, said: str) -> None:
    path = write_zip(tmp_path / "evil.zip", [*GOOD, entry])
    with pytest.raises(CorpusError, match=rf"evil\.zip: the member .* {said}"), zip_members(path) as members:
        next(members)


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = flagged(write_zip(tmp_path / "secret.zip", GOOD), "qa/b.json", 0x1)
    with pytest.raises(CorpusError, match="qa/b.json' is encrypted"):
        read_all(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_whose_output_cannot_be_bounded_is_refused(tmp_path: Path, method: int) -> None:
    path = write_zip(tmp_path / "rare.zip", GOOD, method)
    with pytest.raises(CorpusError, match=f"is packed by method {method}"):
        read_all(path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "RATIO_FREE_BYTES", 1 << 20)
    path = write_zip(tmp_path / "bomb.zip", [("a.json", bytes(8 << 20))])
    with pytest.raises(CorpusError, match="more than 100 times its size"):
        read_all(path)


def test_a_member_that_holds_more_than_it_says_is_not_unpacked_any_further(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "liar.zip", [("a.json", bytes(1 << 20))])
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 1 << 20), struct.pack("<I", 99)))
    with pytest.raises(CorpusError, match="damaged .Bad CRC-32"):
        read_all(path)


def test_an_archive_past_a_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_zip(tmp_path / "big.zip", GOOD)
    for module, limit, value, said in (
        (unpacking, "MAX_TOTAL_BYTES", 20_000, "3 members of 49000 bytes in all"),
        (archives, "MAX_MEMBER_BYTES", 30_000, "says it has 40000 bytes"),
        (archives, "MAX_MEMBERS", 2, "has 3 members"),
        (zips, "MAX_DIRECTORY_BYTES", 100, "a list of members longer than 100 bytes"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, limit, value)
            with pytest.raises(CorpusError, match=said):
                read_all(path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "a .zip archive is expected"),
        (b"<html><body>Sign in</body></html>", "HTML"),
        (b"\x1f\x8b" + bytes(600), "gzip-compressed"),
        (b"PK\x03\x04" + bytes(600), "cut off or damaged"),
    ],
)
def test_a_file_that_is_no_zip_is_an_error_that_says_what_it_is(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "raw.zip"
    path.write_bytes(data)
    with pytest.raises(CorpusError, match=said):
        read_all(path)
    with pytest.raises(CorpusError, match="No such file"):
        read_all(tmp_path / "absent.zip")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_are_read_by_name_whole_or_in_pieces(tmp_path: Path, method: int) -> None:
    path = write_zip(tmp_path / "good.zip", [("qa/", b""), *GOOD], method)
    assert read_all(path) == sorted(GOOD)
    with zip_members(path) as members:
        pieces = [b"".join(iter(lambda member=member: member.data.read(777), b"")) for member in members]
    assert pieces == [data for _, data in sorted(GOOD)]


@pytest.mark.parametrize(("encoding", "flag"), [("utf-8", 0x800), ("utf-8", 0), ("gb18030", 0)])
def test_chinese_names_are_read_whatever_program_packed_them(tmp_path: Path, encoding: str, flag: int) -> None:
    name = "train/阅读理解.json"
    raw = name.encode(encoding)
    stand_in = "x" * len(raw)
    path = write_zip(tmp_path / "names.zip", [(stand_in, b"[]")])
    path.write_bytes(path.read_bytes().replace(stand_in.encode(), raw))
    if flag:
        whole = bytearray(path.read_bytes())
        for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            struct.pack_into("<H", whole, whole.find(mark) + flags, flag)
        path.write_bytes(bytes(whole))
    assert read_all(path) == [(name, b"[]")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", r"train\.jsonl\.gz: .*0 bytes"),
        (b'{"a": 1}\n', "the name ends in .gz, but"),
        (b"<html>", "HTML"),
        (gzip.compress(NOISE, mtime=0)[:-9], "cut off or damaged"),
        (gzip.compress(NOISE, mtime=0)[:500], "cut off or damaged"),
        (gzip.compress(NOISE, mtime=0) + b"more", "cut off or damaged"),
    ],
)
def test_a_gzip_file_that_is_not_whole_is_an_error(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "train.jsonl.gz"
    path.write_bytes(data)
    with pytest.raises(CorpusError, match=said), gunzipped(path) as file:
        file.read()


def test_a_gzip_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "RATIO_FREE_BYTES", 1 << 20)
    path = tmp_path / "train.json.gz"
    path.write_bytes(gzip.compress(bytes(32 << 20)))
    with pytest.raises(CorpusError, match="more than 100 times its size"), gunzipped(path) as file:
        file.read()


def test_zips_and_gzip_files_are_raw_files_like_any_other(tmp_path: Path) -> None:
    inner = [("set/train.json", b"[1]"), ("set/.DS_Store", b"x"), ("__MACOSX/set/._train.json", b"x")]
    packed = write_zip(tmp_path / "mine.zip", inner)
    (tmp_path / "folder").mkdir()
    data = io.BytesIO()
    with gzip.GzipFile(fileobj=data, mode="wb") as first:
        first.write(b'{"a": "one"}\n')
    (tmp_path / "folder" / "a.jsonl.gz").write_bytes(data.getvalue() + gzip.compress('{"a": "二"}\n'.encode()))
    found = [
        (file.name, str(file), file.data.read().decode())
        for file in raw_file_list({"valid.zip": packed, "train": tmp_path / "folder"})
    ]
    gz = tmp_path / "folder" / "a.jsonl.gz"
    assert found == [
        ("train/a.jsonl.gz", f"{gz}: train/a.jsonl.gz", '{"a": "one"}\n{"a": "二"}\n'),
        ("valid/set/train.json", f"{packed}: valid/set/train.json", "[1]"),
    ]
