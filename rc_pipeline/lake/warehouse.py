"""DuckDB over the lake: views on immutable Parquet, swapped in whole, never locked.

A reader keeps the file it opened; the next one sees the new file. No writer ever waits for a reader.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rc_pipeline.lake.canonical import sha256_json
from rc_pipeline.lake.durable import write_atomically
from rc_pipeline.lake.locks import held, workspace
from rc_pipeline.lake.store import Artifact, Store
from rc_pipeline.lake.views import DEFINITIONS, create_views, literal

if TYPE_CHECKING:
    import duckdb

LINEAGE_COLUMNS = (
    "asset VARCHAR, stage VARCHAR, fingerprint VARCHAR, content VARCHAR, inputs JSON, "
    "build_seconds DOUBLE, built_at TIMESTAMP, checks JSON, carried JSON"
)
RUN_COLUMNS = (
    "run VARCHAR, eval_set VARCHAR, model VARCHAR, method VARCHAR, prompt VARCHAR, settings JSON, "
    "predictions_fingerprint VARCHAR, adapter VARCHAR"
)


class Warehouse:
    """The file `rc.duckdb`: one view a table, and views and tables over all assets."""

    def __init__(self, root: Path, store: Store, keys: Iterable[str]) -> None:
        self.root = root
        self.store = store
        self._keys = frozenset(keys)
        self.path = root / "rc.duckdb"
        self._marker = root / "cache" / "warehouse"

    def is_current(self) -> bool:
        """Tell whether the file shows the latest artifacts of the lake where it lies now."""
        try:
            made_of = self._marker.read_text(encoding="utf-8")
        except (OSError, ValueError):
            return False
        return self.path.is_file() and made_of == self._signature()

    def _signature(self) -> str:
        # Views hold absolute paths, so a lake that moved needs new ones; and none of what was discarded since.
        links = {key: str(path) for key, path in self.store.head_links().items() if key in self._keys and path.exists()}
        return sha256_json([str(self.root), links, [path.name for path in self._judgements()], DEFINITIONS])

    def _judgements(self) -> list[Path]:
        return sorted((self.root / "judgements").glob("*.parquet"))

    def _heads(self) -> dict[str, Artifact]:
        """Return the latest whole artifact of every key that the catalog still names."""
        heads = {key: self.store.whole(path) for key, path in self.store.head_links().items() if key in self._keys}
        return {key: artifact for key, artifact in heads.items() if artifact is not None}

    def publish(self) -> None:
        """Rebuild the views over the latest artifacts and put the new file in the old one's place."""
        import duckdb

        with held(self.root / "locks" / "warehouse.lock"), workspace(self.root) as folder:
            signature, heads = self._signature(), self._heads()
            with duckdb.connect(str(folder / "rc.duckdb")) as connection:
                connection.begin()
                _create_lineage(connection, heads)
                _create_runs(connection, heads, self.store)
                connection.commit()
                create_views(connection, heads.values(), self._judgements())
            # A log that a stray writer left beside the old file would make the new one unopenable.
            self.path.with_name("rc.duckdb.wal").unlink(missing_ok=True)
            (folder / "rc.duckdb").replace(self.path)
            write_atomically(self._marker, signature.encode())

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Open the warehouse for reading only.

        Attached to a fresh in-memory connection: within one process, connecting to a path again
        would return the database that lay there before.
        """
        import duckdb

        if not self.is_current():
            self.publish()
        connection = duckdb.connect()
        connection.execute(f"ATTACH {literal(str(self.path))} AS rc (READ_ONLY)")
        connection.execute("USE rc")
        return connection


def _create_lineage(connection: duckdb.DuckDBPyConnection, heads: dict[str, Artifact]) -> None:
    connection.execute(f"CREATE TABLE lineage ({LINEAGE_COLUMNS})")
    rows = []
    for key, artifact in sorted(heads.items()):
        page = artifact.manifest
        rows.append(
            [
                key, page.stage, page.fingerprint, page.content, json.dumps(page.inputs, ensure_ascii=False),
                page.seconds, page.provenance["built_at"], json.dumps(page.outcome["checks"], ensure_ascii=False),
                json.dumps(page.carried),
            ]
        )  # fmt: skip
    if rows:
        connection.executemany("INSERT INTO lineage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _create_runs(connection: duckdb.DuckDBPyConnection, heads: dict[str, Artifact], store: Store) -> None:
    connection.execute(f"CREATE TABLE runs ({RUN_COLUMNS})")
    rows = []
    for key, artifact in sorted(heads.items()):
        if artifact.manifest.stage != "predictions":
            continue
        rows.append(_run_row(key, artifact, store))
    if rows:
        connection.executemany("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _run_row(key: str, artifact: Artifact, store: Store) -> list[str | None]:
    inputs = artifact.manifest.inputs
    settings, adapter = inputs["settings"], inputs["needs"].get("adapter")
    _, run, eval_set = key.split("/", 2)
    # The adapter that answered, which need not be the latest of its key.
    versions = store.versions(adapter["key"]) if adapter else []
    answered = next((one for one in versions if one.manifest.content == adapter["content"]), None)
    tune = answered.manifest.inputs["settings"].get("tune") if answered else None
    return [
        run, eval_set, inputs["needs"]["base"]["key"].removeprefix("base_models/"),
        tune.get("method") if tune else None if adapter else "none", settings.get("prompt", {}).get("name"),
        json.dumps({**settings, "tune": tune}, ensure_ascii=False), artifact.manifest.fingerprint,
        adapter["key"] if adapter else None,
    ]  # fmt: skip
