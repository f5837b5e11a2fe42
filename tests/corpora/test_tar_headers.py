from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_pipeline.corpora.archives import members_of
from rc_pipeline.corpora.readers import CorpusError
from tests.corpora.raw_archives import tar_bytes

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
PARTS = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=90).filter(
    lambda part: part not in (".", "..")
)
NAMES = st.lists(PARTS, min_size=1, max_size=6).map("/".join)


def names_in(data: bytes, folder: Path) -> list[tuple[str, bytes]]:
    path = folder / "made.tar"
    path.write_bytes(data)
    with members_of(path) as members:
        return [(member.name, member.data.read()) for member in members]


def written(entries: list[tuple[str, bytes]], form: int, **pax: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size, info.pax_headers = len(data), pax
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def with_header(change: slice, value: bytes, *, sum_it: bool = True) -> bytes:
    """An archive of one file, one field of whose header says something else."""
    whole = bytearray(tar_bytes([("a.txt", b"text")]))
    whole[change] = value
    if sum_it:
        whole[148:156] = b" " * 8
        whole[148:156] = f"{sum(whole[:512]):06o}\0 ".encode()
    return bytes(whole)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (with_header(slice(124, 136), b"77777777777\0"), "says it has 8589934591 bytes"),
        (with_header(slice(124, 136), b"\x80" + b"\x7f" * 11), "says it has [0-9]{20,} bytes"),
        (with_header(slice(124, 136), b"\xff" * 12), "says it has -1 bytes"),
        (with_header(slice(124, 136), b"-0000000001\0"), "damaged"),
        (with_header(slice(124, 136), b"12x45678901\0"), "damaged"),
        (with_header(slice(124, 136), b"00000100000\0"), "cut off or damaged"),
        (with_header(slice(0, 1), b"b", sum_it=False), "wrong checksum"),
        (with_header(slice(156, 157), b"S"), "a sparse file"),
        (with_header(slice(156, 157), b"K"), "is a link"),
        (with_header(slice(156, 157), b"V"), "of the unknown type 'V'"),
        (with_header(slice(0, 5), b"/etc\0"), "leads out"),
    ],
)
def test_a_header_that_says_what_it_should_not_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(CorpusError, match=f"made.tar: .*{said}"):
        names_in(data, tmp_path)


@pytest.mark.parametrize(
    ("pax", "said"),
    [
        ({"path": "../../etc/passwd"}, "leads out"),
        ({"path": "/etc/passwd"}, "leads out"),
        ({"path": "evidence/\0/x"}, "leads out"),
        ({"size": "99999999999999"}, "says it has 99999999999999 bytes"),
        ({"size": "-5"}, "a PAX header has the size"),
        ({"size": "9" * 40}, "a PAX header has the size"),
        ({"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}, "a sparse file"),
        ({"comment": "x" * (2 << 20)}, "the name of a member has 2097"),
    ],
)
def test_a_pax_header_that_says_what_it_should_not_is_refused(tmp_path: Path, pax: dict[str, str], said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        names_in(written([("a.txt", b"text")], tarfile.PAX_FORMAT, **pax), tmp_path)


@pytest.mark.parametrize("record", [b"", b"99 path=x\n", b"0 path=x\n", b"9 path=xx\n", b"path=x\n", b"8 path\xffx\n"])
def test_a_damaged_pax_record_is_an_error_and_not_an_endless_loop(tmp_path: Path, record: bytes) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, len(record) + 1
    data = header.tobuf(tarfile.USTAR_FORMAT) + (record + b"\n").ljust(512, b"\0") + tar_bytes([("a.txt", b"text")])
    with pytest.raises(CorpusError, match="a PAX header has the record"):
        names_in(data, tmp_path)


def test_a_header_that_names_every_member_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"path": "evidence/web/1.txt"}
    ) as tar:
        tar.addfile(tarfile.TarInfo("a.txt"))
    with pytest.raises(CorpusError, match="gives every member the path"):
        names_in(buffer.getvalue(), tmp_path)


@given(
    entries=st.lists(st.tuples(NAMES, st.binary(max_size=1500)), min_size=1, max_size=6),
    form=st.sampled_from(sorted(FORMATS)),
)
def test_names_and_bytes_come_back_whatever_the_format(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, bytes]], form: str
) -> None:
    try:
        data = written(entries, FORMATS[form])
    except ValueError:
        return  # ustar holds no long names
    expected = [(name.removeprefix("./"), text) for name, text in entries]
    assert names_in(data, tmp_path_factory.mktemp("tar")) == expected


def test_old_archives_mark_folders_with_a_slash(tmp_path: Path) -> None:
    folder = with_header(slice(0, 6), b"qa/\0\0\0")
    old = bytearray(folder[:512])
    old[124:136], old[156] = b"00000000000\0", 0
    old[148:156] = b" " * 8
    old[148:156] = f"{sum(old):06o}\0 ".encode()
    assert names_in(bytes(old) + tar_bytes([("qa/a.json", b"[]")]), tmp_path) == [("qa/a.json", b"[]")]
