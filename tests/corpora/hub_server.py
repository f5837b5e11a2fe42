"""A hub on 127.0.0.1 with one dataset: the part of the real one's interface that reading a dataset needs."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

ID = "someone/stories"
REVISION = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """The files of the dataset, who may read them, and what was asked."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    gated: bool = False
    token: str = ""
    busy: str = "nothing"
    silent: str = "nothing"
    over: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)

    def entry(self, path: str) -> dict[str, object]:
        data = self.files[path]
        return {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}  # noqa: S324


class Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{self.command} {path}")
        resolve, api = f"/datasets/{ID}/resolve/{REVISION}/", f"/api/datasets/{ID}"
        allowed = not self.hub.token or self.headers.get("Authorization") == f"Bearer {self.hub.token}"
        if self.hub.silent in path:
            self.hub.over.wait(30)
        if self.hub.busy in path:
            self.fail(503, "Busy")
        elif path.startswith(resolve):
            if self.hub.gated and not allowed:
                self.fail(401, "GatedRepo")
            else:
                self.file(path.removeprefix(resolve))
        elif not path.startswith(api) or not (allowed or self.hub.gated):
            self.fail(401, "RepoNotFound")
        elif REVISION not in path:
            self.fail(404, "RevisionNotFound")
        elif path == f"{api}/revision/{REVISION}":
            self.json({"id": ID, "sha": REVISION, "gated": self.hub.gated and "auto", "private": False})
        elif path == f"{api}/paths-info/{REVISION}":
            wanted = json.loads(body)["paths"] if body.startswith("{") else parse_qs(body)["paths"]
            self.json([self.hub.entry(name) for name in wanted if name in self.hub.files])
        else:
            self.json(self.tree(path.removeprefix(f"{api}/tree/{REVISION}").strip("/")))

    def tree(self, folder: str) -> list[dict[str, object]]:
        start = f"{folder}/" if folder else ""
        inside = [name for name in sorted(self.hub.files) if name.startswith(start)]
        every = parse_qs(urlsplit(self.path).query).get("recursive", [""])[0].lower() == "true"
        files = [name for name in inside if every or "/" not in name.removeprefix(start)]
        below = {name.removeprefix(start).partition("/")[0] for name in inside if name not in files}
        folders = [{"type": "directory", "path": start + name, "oid": "0" * 40} for name in sorted(below)]
        return [*folders, *(self.hub.entry(name) for name in files)]

    do_HEAD = do_POST = do_GET  # noqa: N815

    def file(self, name: str) -> None:
        data = self.hub.files.get(name)
        if data is None:
            self.fail(404, "EntryNotFound")
        else:
            etag = hashlib.sha256(data).hexdigest()
            self.answer(200, data, {"ETag": f'"{etag}"', "X-Repo-Commit": REVISION})

    def json(self, value: object) -> None:
        self.answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def fail(self, status: int, code: str) -> None:
        self.answer(status, b"", {"X-Error-Code": code, "X-Error-Message": code})

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(handler: type[Handler] = Handler) -> Iterator[Hub]:
    """Serve a hub whose files and rules the caller fills in."""
    hub = Hub()
    with ThreadingHTTPServer(("127.0.0.1", 0), type("ThisHandler", (handler,), {"hub": hub})) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        hub.url = f"http://127.0.0.1:{http.server_port}"
        yield hub
        http.shutdown()
        thread.join()
