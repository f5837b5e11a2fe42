"""A hub on 127.0.0.1 with one model: what the server of the data sets' tests knows, under the paths of models."""

from __future__ import annotations

from tests.corpora.hub_server import ID, Handler


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
