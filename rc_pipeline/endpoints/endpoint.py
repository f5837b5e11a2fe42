"""A language model behind an OpenAI-compatible address, which is trusted with nothing but the request."""

from __future__ import annotations

import json
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from rc_pipeline.xray.visible import shortened, visible

TRIES = 4
ANSWER_SECONDS = 180.0
LONGEST_WAIT_SECONDS = 60.0
MOST_BYTES = 1 << 20
MOST_NEW_TOKENS = 4096
TEMPERATURE = 0.8
HERE = ("127.0.0.1", "localhost", "::1")
KEY = "RC_API_KEY"


class EndpointFailed(ValueError):
    """An endpoint that gave no answer; the message says what to do and holds no key."""


class _Broken(Exception):
    """One try that another may cure, and the seconds that the server asks to wait."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class Endpoint:
    """Where to ask; the key is in no message and no file."""

    url: str
    model: str = ""
    key: str = field(default="", repr=False)
    answer_seconds: float = ANSWER_SECONDS
    temperature: float = TEMPERATURE
    max_new_tokens: int = MOST_NEW_TOKENS
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def __post_init__(self) -> None:
        parts = self._parts()
        if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in HERE):
            raise EndpointFailed(
                f"endpoint {self._shown()}: use https, or http on 127.0.0.1, so that nobody reads along"
            )
        if "@" in parts.netloc or parts.query or parts.fragment or not parts.hostname:
            raise EndpointFailed(f"endpoint {self._shown()}: give host and path alone; a key belongs in {KEY}")
        if not (self.key.isascii() and self.key.isprintable() and " " not in self.key):
            raise EndpointFailed(f"{KEY}: holds a blank, a line end or another character that no key has; set it again")

    @property
    def name(self) -> str:
        """What people are told of it."""
        return f"{self.model or 'a model'} at {self._parts().hostname}"

    def ask(self, request: str, seed: int) -> str:
        """Return the model's answer; tries again with patience where that may help."""
        body: dict[str, Any] = {
            "messages": [{"role": "user", "content": request}],
            "temperature": self.temperature,
            "max_tokens": self.max_new_tokens,
            "seed": seed,
        }
        data = json.dumps(body | ({"model": self.model} if self.model else {})).encode()
        reason = ""
        for turn in range(TRIES):
            try:
                return self._ask_once(data)
            except _Broken as broken:
                reason = str(broken)
                # Waiting times differ, so that many clients do not come back at once.
                wait = max(broken.wait, 2.0**turn * random.uniform(0.5, 1.0))  # noqa: S311
            if turn < TRIES - 1:
                self.sleep(min(wait, LONGEST_WAIT_SECONDS))
        raise EndpointFailed(
            f"endpoint {self._shown()}: no answer in {TRIES} tries (the last: {reason}); try again later"
        )

    def _ask_once(self, data: bytes) -> str:
        parts = self._parts()
        path = parts.path.rstrip("/").removesuffix("/chat/completions") + "/chat/completions"
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        connection = _connection(parts, self.answer_seconds)
        try:
            with _deadline(connection, self.answer_seconds) as late:
                try:
                    connection.request("POST", path, data, headers)
                    response = connection.getresponse()
                    answer = response.read(MOST_BYTES + 1)
                except ssl.SSLCertVerificationError as error:
                    raise EndpointFailed(
                        f"endpoint {self._shown()}: its certificate is not to be trusted ({error.verify_message}); "
                        "mend it, or have this machine trust its issuer"
                    ) from None
                except (OSError, HTTPException) as error:
                    why = f"nothing whole after {self.answer_seconds:.0f} s" if late.is_set() else type(error).__name__
                    raise _Broken(why) from None
                if late.is_set():
                    raise _Broken(f"nothing whole after {self.answer_seconds:.0f} s")
        finally:
            connection.close()
        if len(answer) > MOST_BYTES:
            raise EndpointFailed(
                f"endpoint {self._shown()}: the answer is longer than {MOST_BYTES >> 20} MiB; not read"
            )
        return self._text_of(response, answer)

    def _text_of(self, response: HTTPResponse, answer: bytes) -> str:
        status = response.status
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            asked = response.headers.get("Retry-After", "")
            raise _Broken(f"status {status}", float(asked) if asked.isdecimal() and len(asked) < 6 else 0.0)
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            host = urlsplit(response.headers.get("Location", "")).netloc.rpartition("@")[2]
            raise EndpointFailed(
                f"endpoint {self._shown()}: sends us on to {self._quoted(host) or 'nowhere'}, which a key does not "
                "follow; give that address itself"
            )
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise EndpointFailed(f"endpoint {self._shown()}: status {status}; put the right key into {KEY}")
        if status != HTTPStatus.OK:
            said = self._quoted(answer.decode("utf-8", "replace"))
            raise EndpointFailed(
                f"endpoint {self._shown()}: status {status} ({said}); mend the address or the model's name"
            )
        try:
            text = json.loads(answer)["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            raise _Broken("an answer that is no whole chat completion") from None
        if not isinstance(text, str):
            raise _Broken("an answer without text")
        return text

    def _quoted(self, text: str) -> str:
        """Return what a server said, fit for a message: short, without commands to the terminal and without the key."""
        bare = text.replace(self.key, "***") if self.key else text
        return shortened(" ".join(visible(bare).split()), 200)

    def _parts(self) -> SplitResult:
        try:
            parts = urlsplit(self.url)
            _ = parts.port
        except ValueError:
            raise EndpointFailed("endpoint: the address is no URL; give one such as https://host/v1") from None
        return parts

    def _shown(self) -> str:
        parts = urlsplit(self.url)
        return visible(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")


def _connection(parts: SplitResult, seconds: float) -> HTTPConnection:
    host = str(parts.hostname)
    if parts.scheme == "http":
        return HTTPConnection(host, parts.port, timeout=seconds)
    context = ssl.create_default_context()
    proxy = urlsplit(getproxies().get("https", ""))
    if proxy.hostname is None or host in HERE or proxy_bypass(host):
        return HTTPSConnection(host, parts.port, timeout=seconds, context=context)
    connection = HTTPSConnection(proxy.hostname, proxy.port, timeout=seconds, context=context)
    connection.set_tunnel(host, parts.port)
    return connection


@contextmanager
def _deadline(connection: HTTPConnection, seconds: float) -> Iterator[threading.Event]:
    """Cut the line after some time: a server that sends a byte now and then never meets a socket's own timeout."""
    late = threading.Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            if connection.sock is not None:
                connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
