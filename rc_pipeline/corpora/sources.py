"""Raw files: made up, downloaded or found on this machine, and in every case known by their bytes."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rc_pipeline.corpora.readers import CorpusError, unreadable
from rc_pipeline.lake.hashing import sha256_file
from rc_pipeline.lake.outcome import JSON, Outcome

CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 60
PATHS_FILE = "_paths.json"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class DownloadFailed(RuntimeError):
    """A transfer that may succeed when it is tried again."""


class WrongChecksum(ValueError):
    """A file that is not the one the catalog asks for; another try will not help."""


def write_raw(
    *,
    source: Mapping[str, Any],
    fmt: str,
    files: Mapping[str, Path],
    out: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Bring the raw files of a dataset into `out`, or note which files of this machine they are."""
    out.mkdir(parents=True, exist_ok=True)
    if "sample" in source:
        _write_sample(source["sample"], fmt, out / "files")
    elif "download" in source:
        for name in sorted(source["download"]):
            wanted = source["download"][name]
            download(url=str(wanted["url"]), sha256=str(wanted["sha256"]), path=_inside(out, name), progress=progress)
    else:
        _note_files(files, out)
    found = raw_files(out)
    sizes = {name: path.stat().st_size for name, path in found.items()}
    metadata: dict[str, JSON] = {"files": len(found), "bytes": sum(sizes.values())}
    return Outcome(metadata=metadata | {f"bytes of {name}": size for name, size in sizes.items()})


def raw_files(folder: Path) -> dict[str, Path]:
    """Return the raw files of an artifact that `write_raw` made, by name."""
    noted = folder / PATHS_FILE
    if noted.is_file():
        paths: dict[str, str] = json.loads(noted.read_text(encoding="utf-8"))
        return {name: Path(path) for name, path in sorted(paths.items())}
    return {path.name: path for path in sorted((folder / "files").iterdir())}


def _inside(out: Path, name: str) -> Path:
    if not _FILE_NAME.fullmatch(name):
        raise CorpusError(f"download: {name!r} is no plain file name. Use letters, digits, dots, dashes, underscores.")
    return out / "files" / name


def _write_sample(sample: Mapping[str, int], fmt: str, folder: Path) -> None:
    from rc_pipeline.corpora import sample_world

    seed, train, valid, test = (int(sample[key]) for key in ("seed", "train", "valid", "test"))
    if fmt == "cosmos_qa":
        sample_world.write_cosmos(folder, seed=seed, train=train, valid=valid, test=test)
    elif fmt == "trivia_qa":
        sample_world.write_trivia(folder, seed=seed, train=train, dev=valid, test=test)
    else:
        raise CorpusError(f"source.sample: there is no sample of format {fmt!r}. Use cosmos_qa or trivia_qa.")


def _note_files(files: Mapping[str, Path], out: Path) -> None:
    noted: dict[str, JSON] = {}
    for name, path in sorted(files.items()):
        try:
            noted[name] = {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
        except OSError as error:
            raise unreadable(path, error) from error
    text = json.dumps(noted, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    (out / "sources.json").write_text(text, encoding="utf-8")
    paths = {name: str(path.absolute()) for name, path in sorted(files.items())}
    (out / PATHS_FILE).write_text(json.dumps(paths, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def download(*, url: str, sha256: str, path: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Fetch a URL (https, http or file) into `path`, which appears only when its checksum is right."""
    scheme = urllib.parse.urlsplit(url).scheme
    if scheme not in ("https", "http", "file"):
        raise CorpusError(
            f"{path.name}: the URL {url!r} is not of a kind that can be fetched. Use https, http or file."
        )
    if not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise CorpusError(f"{path.name}: sha256 is {sha256!r}. Give the 64 hexadecimal digits that `sha256sum` prints.")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        found = _fetch(url, partial, progress)
        if found != sha256.lower():
            raise WrongChecksum(
                f"{path.name}: {url} has the SHA-256 {found}, but the catalog asks for {sha256.lower()}. "
                "If the publisher changed the file and you trust it, correct sha256 in the catalog."
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _fetch(url: str, partial: Path, progress: Callable[[int, int], None] | None) -> str:
    digest, done = hashlib.sha256(), 0
    try:
        with _opener().open(url, timeout=TIMEOUT_SECONDS) as response, partial.open("wb") as file:
            total = int(response.headers.get("Content-Length") or 0)
            while chunk := response.read(CHUNK_BYTES):
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                if progress is not None and total:
                    progress(done, total)
    except urllib.error.HTTPError as error:
        remedy = "Try again later." if error.code >= 500 or error.code == 429 else "Check the URL in the catalog."
        raise DownloadFailed(f"{url}: the server answered {error.code} {error.reason}. {remedy}") from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise DownloadFailed(
            f"{url}: cannot be fetched ({reason}). Check the URL and the network, and try again."
        ) from error
    if total and done != total:
        raise DownloadFailed(f"{url}: the transfer stopped after {done} of {total} bytes. Try again.")
    return digest.hexdigest()


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener that knows http, https and file, and nothing else (redirects to FTP included)."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.FileHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener
