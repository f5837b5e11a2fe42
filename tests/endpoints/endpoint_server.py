"""A server on 127.0.0.1 that plays an OpenAI-compatible endpoint, well or badly."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Played = Callable[["Handler"], None]


@dataclass
class Site:
    """The answers to come, the last of them again and again, and what was asked."""

    url: str = ""
    answers: list[Played | str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.site.asked.append(json.loads(self.rfile.read(length)))
        self.site.headers.append(dict(self.headers))
        self.site.paths.append(self.path)
        answers = self.site.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        with suppress(ConnectionError):
            if isinstance(answer, str):
                self.complete(answer)
            else:
                answer(self)

    def complete(self, text: str) -> None:
        self.answer(200, json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode())

    def answer(self, status: int, body: bytes = b"", promise: int = 0, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + promise))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def status(code: int, body: bytes = b"", **headers: str) -> Played:
    return lambda handler: handler.answer(code, body, **headers)


def cut_short(handler: Handler) -> None:
    handler.answer(200, b'{"choices": [{"message": {"content": "[{', promise=500)


def hang_up(handler: Handler) -> None:
    handler.connection.close()


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while not handler.site.stopped.is_set():
        handler.wfile.write(b" " * 65536)


def drip(handler: Handler) -> None:
    """Send a byte now and then, of headers that never end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler.site.stopped.is_set():
        handler.wfile.write(b"a")
        handler.wfile.flush()
        time.sleep(0.02)


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    site = Site()
    handler = type("ThisHandler", (Handler,), {"site": site})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        http.daemon_threads = True
        if tls is not None:
            http.socket = tls.wrap_socket(http.socket, server_side=True)
        thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        site.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{http.server_port}/v1"
        yield site
        site.stopped.set()
        http.shutdown()
        thread.join()
