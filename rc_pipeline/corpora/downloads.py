"""Downloads that go on where they were cut off, and end as the bytes that the catalog asks for or not at all."""

from __future__ import annotations

import logging
import random
import re
import ssl
import string
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from rc_pipeline.corpora.transfers import CHUNK_BYTES, Say, Transfer, megabytes

TRIES = 5
TIMEOUT_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 120.0
REMOTE = ("https", "http")
BY_HAND = "Fetch the file yourself, put it into the lake's inbox and name it under source.files."
LOG = logging.getLogger(__name__)


class DownloadFailed(RuntimeError):
    """A transfer that may succeed when it is tried again; what has arrived is kept for that."""


class DownloadRefused(ValueError):
    """A transfer that no other try will cure."""


class WrongChecksum(DownloadRefused):
    """A file that is not the one the catalog asks for."""


class _Broken(Exception):
    """One try that failed, and how many seconds the server asks to wait; `at_once` where waiting cures nothing."""

    def __init__(self, reason: str, wait: float = 0.0, *, at_once: bool = False) -> None:
        super().__init__(reason)
        self.wait, self.at_once = wait, at_once


def download(  # noqa: PLR0913 - by name, all of them
    *,
    url: str,
    sha256: str,
    path: Path,
    scratch: Path,
    say: Say = LOG.info,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Fetch a URL (https, http or file) into `path`, which appears only when its checksum is right."""
    parts = _require_sound(url, sha256, path.name)
    transfer = Transfer(url, scratch / "downloads" / path.name, say)
    try:
        if parts.scheme == "file":
            _copy(parts, transfer)
            _require_checksum(transfer, sha256.lower())
        else:
            _try_until_right(transfer, sha256.lower(), sleep)
    except BaseException as error:
        if isinstance(error, DownloadRefused) or not transfer.resumable():
            transfer.discard()
        raise
    transfer.put_in_place(path)


def _require_sound(url: str, sha256: str, name: str) -> SplitResult:
    """Return the parts of a URL that can be fetched and holds no secret that a manifest would keep."""
    try:
        parts = urlsplit(url)
        sound = parts.port != 0 and (
            parts.netloc in ("", "localhost") if parts.scheme == "file" else parts.scheme in REMOTE and parts.hostname
        )
    except ValueError:
        sound = False
    if not sound:
        raise DownloadRefused(f"{name}: the URL {shown(url)!r} cannot be fetched. Use https, http or file.")
    if "@" in parts.netloc:
        raise DownloadRefused(f"{name}: the URL {shown(url)!r} holds a user or a password; leave them out. {BY_HAND}")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise DownloadRefused(f"{name}: sha256 is {sha256!r}. Give the 64 hexadecimal digits that `sha256sum` prints.")
    return parts


def shown(url: str) -> str:
    """Return a URL as messages show it: user, password and query, where secrets are, left out."""
    bare, query, _ = url.partition("#")[0].partition("?")
    return re.sub(r"//[^/]*@", "//", bare) + ("?…" if query else "")


def _copy(parts: SplitResult, transfer: Transfer) -> None:
    source = Path(urllib.request.url2pathname(parts.path))
    try:
        if not source.is_file():
            raise DownloadRefused(f"{transfer.name}: {source} is no file. Check the URL in the catalog.")
        with source.open("rb") as file:
            transfer.begin(total=source.stat().st_size)
            transfer.receive(iter(lambda: file.read(CHUNK_BYTES), b""))
    except PermissionError as error:
        raise DownloadRefused(f"{source}: cannot be read ({error.strerror}). Give this user access.") from error


def _try_until_right(transfer: Transfer, sha256: str, sleep: Callable[[float], None]) -> None:
    for turn in range(1, TRIES + 1):
        try:
            if not transfer.is_complete():
                _connect(transfer)
            _require_checksum(transfer, sha256)
        except _Broken as broken:
            # Half of each delay is chance, so that many nodes do not come back in step.
            delay = 0.0 if broken.at_once else max(broken.wait, 2.0**turn * random.uniform(0.5, 1.0))  # noqa: S311
            if turn == TRIES or delay > LONGEST_WAIT_SECONDS:
                raise _given_up(transfer, broken, turn) from broken
            transfer.say(f"{transfer.name}: {broken}; trying again in {delay:.0f} s")
            sleep(delay)
        else:
            return


def _given_up(transfer: Transfer, broken: _Broken, turn: int) -> DownloadFailed:
    tries = f"Given up after {turn} tries" if turn == TRIES else f"It asks to wait {broken.wait:.0f} s"
    kept = f"; the first {megabytes(transfer.done)} are kept" if transfer.resumable() else ""
    return DownloadFailed(
        f"{transfer.name}: {shown(transfer.url)}: {broken}. {tries}{kept}. Check the network and start again later."
    )


def _require_checksum(transfer: Transfer, sha256: str) -> None:
    found = transfer.digest.hexdigest()
    if found == sha256:
        return
    if transfer.went_on:
        # A power cut can leave holes in a partial file, so it says nothing about the publisher's.
        transfer.begin()
        raise _Broken("the parts of several tries do not make up the file that the catalog asks for", at_once=True)
    hint = ""
    if transfer.first_bytes().lstrip().startswith(b"<"):
        hint = "It starts with '<', so it is probably a web page: a login, an error, or a page with the real link. "
    elif transfer.total is None:
        hint = "The server did not say how long it is, so it may have been cut off: start again to see. "
    raise WrongChecksum(
        f"{transfer.name}: {shown(transfer.url)} has the SHA-256 {found}, but the catalog asks for {sha256}. {hint}"
        "If the publisher changed the file and you trust it, correct sha256 in the catalog."
    )


def _connect(transfer: Transfer) -> None:
    """Ask for what is missing and take what comes."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "rc-pipeline"}
    if transfer.resumable():
        headers |= {"Range": f"bytes={transfer.done}-", "If-Range": transfer.validator}
    parts = urlsplit(transfer.url)
    url = parts._replace(
        path=quote(parts.path, safe=string.punctuation), query=quote(parts.query, safe=string.punctuation), fragment=""
    )
    with _opened(urllib.request.Request(url.geturl(), headers=headers), transfer) as response:  # noqa: S310
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            _go_on(transfer, response.headers)
        elif response.status == HTTPStatus.OK:
            length = response.headers.get("Content-Length", "")
            transfer.begin(_validator(response.headers), int(length) if length.isdecimal() else None)
        else:
            raise DownloadRefused(_refusal(transfer, response.status))
        transfer.receive(_chunks(response, transfer))
    if transfer.total is not None and not transfer.is_complete():
        raise _Broken(f"the transfer stopped after {transfer.done} of {transfer.total} bytes")


def _go_on(transfer: Transfer, headers: HTTPMessage) -> None:
    """Accept the rest of the same version of the file, and nothing else."""
    sent = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", "").strip())
    said = [headers[name] for name in ("ETag", "Last-Modified") if name in headers]
    if not transfer.resumable() or sent is None or int(sent[1]) != transfer.done:
        transfer.begin()
        raise _Broken("the server sent another part of the file than it was asked for")
    if said and transfer.validator not in said:
        transfer.begin()
        raise _Broken("the file on the server has changed since the last try; starting over", at_once=True)
    transfer.go_on(None if sent[2] == "*" else int(sent[2]))


def _validator(headers: HTTPMessage) -> str:
    """Return what tells one version of a file from another, byte by byte; a weak ETag does not."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified", "")


def _chunks(response: Any, transfer: Transfer) -> Iterator[bytes]:
    """Yield bytes as they come, up to the length that was promised: a server may keep the line open after it."""
    while not transfer.is_complete():
        missing = CHUNK_BYTES if transfer.total is None else min(CHUNK_BYTES, transfer.total - transfer.done)
        try:
            chunk = response.read1(missing)
        except (OSError, HTTPException) as error:
            raise _Broken(f"the transfer broke off after {transfer.done} bytes ({_cause(error)})") from error
        if not chunk:
            return
        yield chunk


@contextmanager
def _opened(request: urllib.request.Request, transfer: Transfer) -> Iterator[Any]:
    try:
        response = _opener().open(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        with error:
            raise _answer(error, transfer) from None
    except (OSError, HTTPException) as error:
        if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
            raise DownloadRefused(
                f"{transfer.name}: {shown(transfer.url)}: {_cause(error)}. Check the URL and this machine's clock "
                "and certificates."
            ) from error
        raise _Broken(f"the server cannot be reached ({_cause(error)})") from error
    with response:
        yield response


def _cause(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return f"no byte for {TIMEOUT_SECONDS:.0f} s" if isinstance(reason, TimeoutError) else str(reason)


def _answer(error: urllib.error.HTTPError, transfer: Transfer) -> Exception:
    """Tell an answer that another try may change from one that it will not."""
    if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and transfer.resumable():
        transfer.begin()
        return _Broken("the server no longer has a file of that length; starting over", at_once=True)
    if error.code == HTTPStatus.TOO_MANY_REQUESTS or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _Broken(f"the server answered {_status(error.code)}", _seconds(error.headers.get("Retry-After", "")))
    return DownloadRefused(_refusal(transfer, error.code))


def _refusal(transfer: Transfer, code: int) -> str:
    login = code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED)
    remedy = f"It wants to know who asks. {BY_HAND}" if login else "Check the URL in the catalog."
    return f"{transfer.name}: {shown(transfer.url)}: the server answered {_status(code)}. {remedy}"


def _status(code: int) -> str:
    return f"{code} {HTTPStatus(code).phrase}" if code in HTTPStatus._value2member_map_ else str(code)


def _seconds(retry_after: str) -> float:
    """Return how long a server asks to wait, said in seconds or as a date."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a server to another one, but never to this machine's files, nor with a password."""

    max_redirections = 10

    def http_error_302(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage
    ) -> Any:
        """Look at the target before it is followed."""
        target = urljoin(req.full_url, headers.get("Location", ""))
        if not target.startswith(tuple(f"{scheme}://" for scheme in REMOTE)) or "@" in urlsplit(target).netloc:
            raise DownloadRefused(f"{shown(req.full_url)} leads on to {shown(target)!r}, which is not followed.")
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener that knows http and https, and nothing else."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(), urllib.request.HTTPHandler(), urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(), _Redirects(), urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):  # fmt: skip
        opener.add_handler(handler)
    return opener
