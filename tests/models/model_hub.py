"""A hub on 127.0.0.1 with one model: what the server of the data sets' tests knows, under the paths of models."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

from tests.corpora.hub_server import ID, Handler, Hub


class ModelHandler(Handler):
    def do_GET(self) -> None:  # noqa: N802
        if self.path.startswith("/api/models/"):
            self.path = self.path.replace("/api/models/", "/api/datasets/", 1)
        elif self.path.startswith(f"/{ID}/resolve/"):
            self.path = f"/datasets{self.path}"
        super().do_GET()

    do_HEAD = do_POST = do_GET  # noqa: N815

    def json(self, value: object) -> None:
        if isinstance(value, dict) and "sha" in value:
            value["siblings"] = [{"rfilename": name} for name in sorted(self.hub.files)]
        super().json(value)


@contextmanager
def serving_models() -> Iterator[Hub]:
    """Serve a hub whose files and rules the caller fills in."""
    hub = Hub()
    handler = type("ThisHandler", (ModelHandler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        hub.url = f"http://127.0.0.1:{http.server_port}"
        yield hub
        http.shutdown()
        thread.join()
