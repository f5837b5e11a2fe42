"""A real server on 127.0.0.1 for one file, whose answers a test can spoil one by one."""

from __future__ import annotations

import hashlib
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DATA = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(DATA).hexdigest()
Spoiled = Callable[["Handler"], None]


@dataclass
class Site:
    """What the server has, how it answers the next requests (None: as it should), and what it was asked."""

    url: str = ""
    data: bytes = DATA
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"one"'})
    answers: list[Spoiled | None] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)

    @property
    def ranges(self) -> list[str | None]:
        return [headers.get("Range") for headers in self.asked]


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        self.site.asked.append(dict(self.headers))
        spoiled = self.site.answers.pop(0) if self.site.answers else None
        if spoiled is not None:
            spoiled(self)
        else:
            self.serve()

    def serve(self, *, ignore_range: bool = False, until: int | None = None, promise: int = 0) -> None:
        """Answer as RFC 9110 says; `until` cuts the line early, `promise` lies about the length."""
        data = self.site.data
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range") in (None, *self.site.headers.values())
        start = int(wanted[1]) if wanted and same and not ignore_range else 0
        if start >= len(data) > 0:
            self.answer(416, {"Content-Range": f"bytes */{len(data)}"})
            return
        length = {"Content-Length": str(len(data) - start + promise)}
        where = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        self.answer(206 if start else 200, {**length, **where, **self.site.headers}, data[start:until])

    def answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(body)
        self.site.sent.append(len(body))

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    site = Site()
    handler = type("ThisHandler", (Handler,), {"site": site})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        if tls is not None:
            http.socket = tls.wrap_socket(http.socket, server_side=True)
        thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        site.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{http.server_port}/train.csv"
        yield site
        http.shutdown()
        thread.join()
