from __future__ import annotations

import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from rc_pipeline.corpora import downloads, transfers
from rc_pipeline.corpora.downloads import DownloadFailed, DownloadRefused, WrongChecksum, download
from rc_pipeline.lake.durable import LakeUnwritable
from tests.corpora.file_server import DATA, SHA256, Handler, Site, Spoiled, serving

HALF = len(DATA) // 2


class Try:
    """One dataset's download as a build makes it: `out` is new each time, `scratch` stays."""

    def __init__(self, folder: Path) -> None:
        self.out, self.scratch = folder / "out", folder / "scratch"
        self.said: list[str] = []
        self.slept: list[float] = []

    def __call__(self, url: str, sha256: str = SHA256) -> Path:
        path = self.out / "train.csv"
        download(url=url, sha256=sha256, path=path, scratch=self.scratch, say=self.said.append, sleep=self.slept.append)
        return path

    def left(self) -> list[str]:
        return sorted(p.name for folder in (self.out, self.scratch) for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as one:
        yield one


@pytest.fixture
def fetch(tmp_path: Path) -> Try:
    return Try(tmp_path)


def status(code: int, headers: dict[str, str] | None = None) -> Spoiled:
    return lambda handler: handler.answer(code, {"Content-Length": "0", **(headers or {})})


def cut(until: int = HALF) -> Spoiled:
    return lambda handler: handler.serve(until=until)


def reset(handler: Handler) -> None:
    handler.serve(until=HALF)
    time.sleep(0.1)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://127.0.0.1/x", "Use https, http or file"),
        ("train.csv", "Use https, http or file"),
        ("data:text/plain,x", "Use https, http or file"),
        ("https:///x", "Use https, http or file"),
        ("https://host:port/x", "Use https, http or file"),
        ("file://elsewhere/x", "Use https, http or file"),
    ],
)
def test_a_url_of_another_kind_is_refused(fetch: Try, url: str, said: str) -> None:
    with pytest.raises(DownloadRefused, match=said):
        fetch(url)


def test_a_password_in_a_url_is_refused_and_not_repeated(fetch: Try) -> None:
    with pytest.raises(DownloadRefused, match="leave them out") as refused:
        fetch("https://ann:hunter2@127.0.0.1/x?token=hunter3#hunter4")
    assert "hunter" not in str(refused.value)
    assert fetch.left() == []


def test_a_checksum_that_is_none_is_refused_before_anything_is_fetched(fetch: Try, site: Site) -> None:
    with pytest.raises(DownloadRefused, match="64 hexadecimal digits"):
        fetch(site.url, sha256="abc")
    assert site.asked == []


def test_a_file_with_another_checksum_is_not_kept(fetch: Try, site: Site) -> None:
    with pytest.raises(WrongChecksum, match=f"{SHA256}, but the catalog asks for {'0' * 64}"):
        fetch(site.url, sha256="0" * 64)
    assert fetch.left() == []
    assert len(site.asked) == 1


def test_a_web_page_in_place_of_the_file_is_named_as_such(fetch: Try, site: Site) -> None:
    site.data = b"\n<!DOCTYPE html><title>Sign in</title>"
    with pytest.raises(WrongChecksum, match="probably a web page"):
        fetch(site.url)
    assert fetch.left() == []


def test_a_file_of_unknown_length_that_is_wrong_may_have_been_cut_off(fetch: Try, site: Site) -> None:
    site.answers = [lambda handler: handler.answer(200, {}, DATA[:HALF])]
    with pytest.raises(WrongChecksum, match="did not say how long it is"):
        fetch(site.url)


@pytest.mark.parametrize(
    ("code", "said"),
    [(404, "answered 404 Not Found. Check the URL"), (401, "put it into the lake's inbox"), (204, "204 No Content")],
)
def test_an_answer_that_no_other_try_will_change_is_asked_for_once(
    fetch: Try, site: Site, code: int, said: str
) -> None:
    site.answers = [cut(), status(code)]
    with pytest.raises(DownloadRefused, match=said):
        fetch(f"{site.url}?token=hunter2")
    assert len(site.asked) == 2
    assert fetch.left() == []
    assert "hunter2" not in " ".join(fetch.said)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://ann:hunter2@127.0.0.1/x"])
def test_a_redirect_out_of_the_web_is_refused(fetch: Try, site: Site, target: str) -> None:
    site.answers = [status(302, {"Location": target})]
    with pytest.raises(DownloadRefused, match="not followed") as refused:
        fetch(site.url)
    assert "hunter2" not in str(refused.value)
    assert fetch.left() == []


def test_redirects_that_lead_nowhere_end(fetch: Try, site: Site) -> None:
    site.answers = [status(302, {"Location": "/train.csv"})] * 50
    with pytest.raises(DownloadRefused, match="302 Found"):
        fetch(site.url)
    assert len(site.asked) <= 11


def test_a_server_that_is_not_there_is_tried_again_a_little_later_each_time(fetch: Try) -> None:
    with pytest.raises(DownloadFailed, match="Given up after 5 tries.*Check the network"):
        fetch("http://127.0.0.1:1/x")
    assert len(fetch.slept) == 4
    assert all(2.0**n / 2 <= waited <= 2.0**n for n, waited in enumerate(fetch.slept, start=1))


def test_a_certificate_that_nobody_vouches_for_is_not_tried_again(fetch: Try, tmp_path: Path) -> None:
    pem = tmp_path / "host.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
         "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", pem, "-out", tmp_path / "crt"],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", pem)
    with serving(context) as site, pytest.raises(DownloadRefused, match="certificate"):
        fetch(site.url)
    assert fetch.slept == []


def test_a_transfer_that_never_ends_well_is_kept_for_the_next_run(fetch: Try, site: Site) -> None:
    site.answers = [cut(1000), *[status(503)] * 4]
    with pytest.raises(DownloadFailed, match=r"503 Service Unavailable. Given up after 5 tries; the first 1,000 bytes"):
        fetch(site.url)
    assert fetch.left() == ["train.csv.json", "train.csv.partial"]
    assert fetch(site.url).read_bytes() == DATA
    assert site.ranges[-1] == "bytes=1000-"
    assert fetch.left() == ["train.csv"]


def test_a_server_without_versions_is_never_asked_for_a_part(fetch: Try, site: Site) -> None:
    site.headers = {"ETag": 'W/"weak"'}
    site.answers = [cut(), *[status(503)] * 4]
    with pytest.raises(DownloadFailed):
        fetch(site.url)
    assert fetch.left() == []
    site.answers = [cut()]
    assert fetch(site.url).read_bytes() == DATA
    assert site.ranges == [None] * 7


def test_a_full_disk_is_told_before_the_transfer(fetch: Try, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for = 1 << 62
    site.answers = [lambda handler: handler.serve(promise=asked_for)]
    with pytest.raises(LakeUnwritable, match=r"MB are still to come, and .* has .* left. Free some space"):
        fetch(site.url)
    assert fetch.left() == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("told", [True, False])
def test_a_disk_that_fills_up_is_told_with_the_remedy(fetch: Try, site: Site, tmp_path: Path, told: bool) -> None:
    fetch.scratch.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", fetch.scratch], capture_output=True)
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        if not told:
            site.answers = [lambda handler: handler.answer(200, site.headers, DATA)]
        said = "still to come" if told else "disk is full.*are kept for the next run"
        with pytest.raises(LakeUnwritable, match=said):
            fetch(site.url)
        assert list(fetch.out.rglob("*")) == []
    finally:
        subprocess.run(["umount", fetch.scratch], check=True)


def test_a_server_that_asks_for_too_long_a_wait_is_left_alone(fetch: Try, site: Site) -> None:
    site.answers = [status(429, {"Retry-After": "3600"})]
    with pytest.raises(DownloadFailed, match="429 Too Many Requests. It asks to wait 3600 s"):
        fetch(site.url)
    assert fetch.slept == []


@pytest.mark.parametrize("as_date", [False, True])
def test_a_server_that_asks_for_a_wait_gets_it(fetch: Try, site: Site, as_date: bool) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True) if as_date else "60"
    site.answers = [status(429, {"Retry-After": when}), status(503, {"Retry-After": "later"})]
    assert fetch(site.url).read_bytes() == DATA
    assert 50 <= fetch.slept[0] <= 60
    assert 2 <= fetch.slept[1] <= 4


@pytest.mark.parametrize("broken", [cut(), reset])
@pytest.mark.parametrize("headers", [{"ETag": '"one"'}, {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}])
def test_a_transfer_that_breaks_off_goes_on_where_it_was(
    fetch: Try, site: Site, broken: Spoiled, headers: dict[str, str]
) -> None:
    site.headers, site.answers = headers, [broken]
    assert fetch(site.url).read_bytes() == DATA
    assert site.ranges == [None, f"bytes={HALF}-"]
    assert site.asked[1]["If-Range"] in headers.values()
    assert site.sent[1] == len(DATA) - HALF
    assert fetch.left() == ["train.csv"]


def test_a_server_that_falls_silent_counts_as_broken(fetch: Try, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "TIMEOUT_SECONDS", 0.3)
    over = threading.Event()

    def silent(handler: Handler) -> None:
        handler.serve(until=HALF)
        over.wait(10)

    site.answers = [silent, lambda handler: over.wait(10) and None]
    assert fetch(site.url).read_bytes() == DATA
    over.set()
    assert "no byte for 0 s" in fetch.said[0]
    assert "cannot be reached" in fetch.said[1]
    assert site.ranges == [None, f"bytes={HALF}-", f"bytes={HALF}-"]


def test_a_server_that_ignores_the_range_starts_over(fetch: Try, site: Site) -> None:
    site.answers = [cut(), lambda handler: handler.serve(ignore_range=True)]
    assert fetch(site.url).read_bytes() == DATA
    assert site.sent == [HALF, len(DATA)]


def test_a_file_that_changed_between_two_tries_starts_over(fetch: Try, site: Site) -> None:
    site.data = b"x" * len(DATA)

    def publish_anew(handler: Handler) -> None:
        handler.serve(until=HALF)
        site.data, site.headers = DATA, {"ETag": '"two"'}

    site.answers = [publish_anew]
    assert fetch(site.url).read_bytes() == DATA
    assert site.sent == [HALF, len(DATA)]


def test_the_rest_of_another_version_is_not_taken(fetch: Try, site: Site) -> None:
    def other_version(handler: Handler) -> None:
        where = {"Content-Range": f"bytes {HALF}-{len(DATA) - 1}/{len(DATA)}"}
        handler.answer(206, {"ETag": '"two"', **where}, b"x" * (len(DATA) - HALF))

    site.answers = [cut(), other_version]
    assert fetch(site.url).read_bytes() == DATA
    assert site.ranges == [None, f"bytes={HALF}-", None]


@pytest.mark.parametrize("where", [{}, {"Content-Range": "bytes 7-99/100"}, {"Content-Range": "lines 1-2/3"}])
def test_another_part_than_was_asked_for_is_not_taken(fetch: Try, site: Site, where: dict[str, str]) -> None:
    site.answers = [cut(), lambda handler: handler.answer(206, where, b"x" * 93)]
    assert fetch(site.url).read_bytes() == DATA
    assert site.ranges == [None, f"bytes={HALF}-", None]


def test_a_file_that_became_shorter_starts_over(fetch: Try, site: Site) -> None:
    site.answers = [cut(), status(416)]
    assert fetch(site.url).read_bytes() == DATA
    assert site.ranges == [None, f"bytes={HALF}-", None]


def test_bytes_beyond_the_promised_length_are_not_waited_for(fetch: Try, site: Site) -> None:
    site.answers = [lambda handler: handler.answer(200, {"Content-Length": str(len(DATA))}, DATA + b"surplus")]
    assert fetch(site.url).read_bytes() == DATA


@pytest.mark.parametrize("headers", [{}, {"Transfer-Encoding": "chunked"}])
def test_a_file_of_unknown_length_is_whole(fetch: Try, site: Site, headers: dict[str, str]) -> None:
    pieces = [DATA[start : start + 99_999] for start in range(0, len(DATA), 99_999)]
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])

    def unsized(handler: Handler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.close_connection = True
        handler.answer(200, headers, chunked if headers else DATA)

    site.answers = [unsized]
    assert fetch(site.url).read_bytes() == DATA


def test_a_partial_file_that_was_damaged_is_fetched_again(fetch: Try, site: Site) -> None:
    site.answers = [cut(), *[status(503)] * 4]
    with pytest.raises(DownloadFailed):
        fetch(site.url)
    partial = fetch.scratch / "downloads" / "train.csv.partial"
    partial.write_bytes(bytes(HALF))
    assert fetch(site.url).read_bytes() == DATA
    assert site.ranges[-2:] == [f"bytes={HALF}-", None]


@pytest.mark.parametrize("spoil", ["the note", "the URL", "the length"])
def test_a_partial_file_that_belongs_to_nothing_known_is_not_used(fetch: Try, site: Site, spoil: str) -> None:
    site.answers = [cut(), *[status(503)] * 4]
    with pytest.raises(DownloadFailed):
        fetch(site.url)
    folder = fetch.scratch / "downloads"
    if spoil == "the note":
        (folder / "train.csv.json").write_bytes(b"[")
    elif spoil == "the length":
        (folder / "train.csv.partial").write_bytes(bytes(len(DATA) + 1))
    assert fetch(site.url + "?v=2" if spoil == "the URL" else site.url).read_bytes() == DATA
    assert site.ranges[-1] is None


def test_a_file_that_had_arrived_whole_is_not_asked_for_again(fetch: Try, site: Site) -> None:
    site.answers = [cut(len(DATA) - 1), *[status(503)] * 4]
    with pytest.raises(DownloadFailed):
        fetch(site.url)
    (fetch.scratch / "downloads" / "train.csv.partial").write_bytes(DATA)
    asked = len(site.asked)
    assert fetch(site.url).read_bytes() == DATA
    assert len(site.asked) == asked


def test_a_download_that_was_killed_goes_on_in_a_new_process(fetch: Try, site: Site) -> None:
    over = threading.Event()

    def half(handler: Handler) -> None:
        handler.serve(until=HALF)
        over.wait(30)

    site.answers = [half]
    script = (
        "import sys; from pathlib import Path; from rc_pipeline.corpora.downloads import download\n"
        "url, sha256, path, scratch = sys.argv[1:]\n"
        "download(url=url, sha256=sha256, path=Path(path), scratch=Path(scratch), say=print)"
    )
    command = [sys.executable, "-c", script, site.url, SHA256, str(fetch.out / "train.csv"), str(fetch.scratch)]
    partial = fetch.scratch / "downloads" / "train.csv.partial"
    with subprocess.Popen(command) as child:
        deadline = time.monotonic() + 30
        while not (partial.is_file() and partial.stat().st_size == HALF) and time.monotonic() < deadline:
            time.sleep(0.02)
        child.kill()
    over.set()
    assert not (fetch.out / "train.csv").exists()
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "going on after the 0.5 MB that are here already" in done.stdout
    assert (fetch.out / "train.csv").read_bytes() == DATA
    assert site.ranges == [None, f"bytes={HALF}-"]
    assert fetch.left() == ["train.csv"]


def test_a_redirect_is_followed_and_nothing_compressed_is_asked_for(fetch: Try, site: Site) -> None:
    site.answers = [status(308, {"Location": "/elsewhere?signed=1"})]
    assert fetch(site.url).read_bytes() == DATA
    assert [asked["Accept-Encoding"] for asked in site.asked] == ["identity", "identity"]


def test_a_url_may_be_written_in_chinese(fetch: Try, site: Site) -> None:
    assert fetch(site.url.replace("train", "训练 集")).read_bytes() == DATA


def test_how_far_a_transfer_is_is_told_now_and_then(fetch: Try, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr(downloads, "CHUNK_BYTES", len(DATA) // 4)
    fetch(site.url)
    assert len(fetch.said) >= 4
    assert fetch.said[-1].startswith("train.csv: 100 % of 1.0 MB, ")
    assert fetch.said[-1].endswith(" MB/s, 0 s left")


def test_a_local_file_that_is_absent_is_named(fetch: Try, tmp_path: Path) -> None:
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(DownloadRefused, match=f"{path} is no file"):
            fetch(path.as_uri())
    assert fetch.left() == []


def test_a_file_url_is_copied(fetch: Try, tmp_path: Path) -> None:
    (tmp_path / "my 数据.csv").write_bytes(DATA)
    assert fetch((tmp_path / "my 数据.csv").as_uri(), SHA256.upper()).read_bytes() == DATA
    assert fetch(f"file://localhost{quote(str(tmp_path / 'my 数据.csv'))}").read_bytes() == DATA
    assert fetch.left() == ["train.csv"]
