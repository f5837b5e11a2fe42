from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rc_pipeline.corpora import sources
from rc_pipeline.corpora.readers import CorpusError
from rc_pipeline.corpora.sources import DownloadFailed, WrongChecksum, download, raw_files, write_raw

DATA = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(DATA).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/good")
            self.end_headers()
            return
        if self.path in ("/to-ftp", "/to-file"):
            self.send_response(302)
            self.send_header("Location", f"{self.path[4:]}://127.0.0.1/etc/passwd")
            self.end_headers()
            return
        if self.path not in ("/good", "/short", "/unsized"):
            self.send_error(503 if self.path == "/busy" else 404)
            return
        self.send_response(200)
        if self.path != "/unsized":
            self.send_header("Content-Length", str(len(DATA)))
        self.end_headers()
        self.wfile.write(DATA if self.path != "/short" else DATA[:1000])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_a_file_with_another_checksum_is_not_kept(tmp_path: Path, server: str) -> None:
    path = tmp_path / "files" / "train.csv"
    with pytest.raises(WrongChecksum, match=f"{SHA256}, but the catalog asks for {'0' * 64}"):
        download(url=f"{server}/good", sha256="0" * 64, path=path)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("/absent", "answered 404 Not Found. Check the URL"),
        ("/busy", "answered 503 .* Try again later"),
        ("/short", "stopped after 1000 of 512000 bytes. Try again"),
        ("/to-ftp", "cannot be fetched|answered 302"),
        ("/to-file", "cannot be fetched|answered 302"),
    ],
)
def test_a_failed_transfer_says_why_and_leaves_nothing(tmp_path: Path, server: str, place: str, said: str) -> None:
    path = tmp_path / "files" / "train.csv"
    with pytest.raises(DownloadFailed, match=said):
        download(url=server + place, sha256=SHA256, path=path)
    assert list(path.parent.iterdir()) == []


def test_a_server_that_is_not_there_is_an_error_that_a_retry_may_cure(tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="Check the URL and the network"):
        download(url="http://127.0.0.1:1/x", sha256=SHA256, path=tmp_path / "x")


def test_a_local_file_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match=r"absent\.csv"):
        download(url=(tmp_path / "absent.csv").as_uri(), sha256=SHA256, path=tmp_path / "x")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "train.csv", "data:text/plain,x"])
def test_a_url_of_another_kind_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(CorpusError, match="Use https, http or file"):
        download(url=url, sha256=SHA256, path=tmp_path / "x")


def test_a_checksum_that_is_none_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="64 hexadecimal digits"):
        download(url="http://127.0.0.1:1/x", sha256="abc", path=tmp_path / "x")


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden"])
def test_a_download_never_leaves_its_folder(tmp_path: Path, server: str, name: str) -> None:
    source = {"download": {name: {"url": f"{server}/good", "sha256": SHA256}}}
    with pytest.raises(CorpusError, match="no plain file name"):
        write_raw(source=source, fmt="cosmos_qa", files={}, out=tmp_path / "out")


@pytest.mark.parametrize("place", ["/good", "/moved", "/unsized"])
def test_a_good_download_is_whole_and_its_progress_told(
    tmp_path: Path, server: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "CHUNK_BYTES", 100_000)
    told: list[tuple[int, int]] = []
    source = {"download": {"train.csv": {"url": server + place, "sha256": SHA256}}}
    write_raw(
        source=source, fmt="cosmos_qa", files={}, out=tmp_path, progress=lambda done, total: told.append((done, total))
    )
    assert raw_files(tmp_path) == {"train.csv": tmp_path / "files" / "train.csv"}
    assert (tmp_path / "files" / "train.csv").read_bytes() == DATA
    assert told == ([] if place == "/unsized" else [(n, 512_000) for n in (*range(100_000, 500_001, 100_000), 512_000)])


def test_a_file_url_is_copied(tmp_path: Path) -> None:
    (tmp_path / "my data.csv").write_bytes(DATA)
    download(url=(tmp_path / "my data.csv").as_uri(), sha256=SHA256.upper(), path=tmp_path / "out" / "x")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x"]
    assert (tmp_path / "out" / "x").read_bytes() == DATA


def test_files_of_the_user_are_noted_and_not_copied(tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_bytes(DATA)
    out = tmp_path / "out"
    write_raw(source={"files": {"train.csv": "mine.csv"}}, fmt="cosmos_qa", files={"train.csv": mine}, out=out)
    assert sorted(path.name for path in out.iterdir()) == ["_paths.json", "sources.json"]
    noted = json.loads((out / "sources.json").read_text())
    assert noted == {"train.csv": {"bytes": len(DATA), "sha256": SHA256}}
    assert raw_files(out) == {"train.csv": mine}


def test_a_file_of_the_user_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(CorpusError, match=f"{path}: the file cannot be read"):
            write_raw(source={"files": {}}, fmt="cosmos_qa", files={"train.csv": path}, out=tmp_path / "out")


def test_the_same_sample_is_the_same_bytes(tmp_path: Path) -> None:
    for fmt, names in (("cosmos_qa", ["test.jsonl", "train.csv", "valid.csv"]), ("trivia_qa", ["triviaqa-rc.tar.gz"])):
        seen = []
        for turn in ("first", "second"):
            out = tmp_path / fmt / turn
            sample = {"seed": 3, "train": 6, "valid": 3, "test": 2}
            write_raw(source={"sample": sample}, fmt=fmt, files={}, out=out)
            seen.append({name: path.read_bytes() for name, path in raw_files(out).items()})
        assert seen[0] == seen[1]
        assert sorted(seen[0]) == names


def test_a_format_without_a_sample_is_an_error(tmp_path: Path) -> None:
    sample = {"seed": 3, "train": 6, "valid": 3, "test": 2}
    with pytest.raises(CorpusError, match="no sample of format 'alpaca'"):
        write_raw(source={"sample": sample}, fmt="alpaca", files={}, out=tmp_path)
