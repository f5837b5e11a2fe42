"""The read-through cache: an artifact is found, or built once, whole, from inputs that held still."""

from __future__ import annotations

import platform
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from rc_pipeline.lake.canonical import sha256_json
from rc_pipeline.lake.code import code_hashes
from rc_pipeline.lake.differences import what_changed
from rc_pipeline.lake.durable import clear_disk_errors
from rc_pipeline.lake.graph import Graph, Node
from rc_pipeline.lake.hashing import RememberedHashes
from rc_pipeline.lake.locks import held, workspace
from rc_pipeline.lake.manifest import Manifest, combined_content
from rc_pipeline.lake.outcome import JSON, Outcome
from rc_pipeline.lake.planner import Cached, Planner, State, ToBuild, require_files, require_supported
from rc_pipeline.lake.store import Artifact, Store, list_files
from rc_pipeline.lake.warehouse import Warehouse

RECORDED_LIBRARIES = (
    "bitsandbytes", "dagster", "datasets", "duckdb", "pandera", "peft", "polars", "safetensors", "tokenizers",
    "torch", "transformers",
)  # fmt: skip


# Held by builds together, and by the garbage collection alone.
IN_USE = Path("locks", "in_use.lock")


class NotReady(RuntimeError):
    """Something that an asset is built from does not stand, or failed a blocking check."""


class InputChanged(RuntimeError):
    """An input changed while an asset was being built, so what was built cannot be trusted."""


@dataclass(frozen=True)
class Work:
    """What a build is given: its settings, its inputs, and an empty folder to fill."""

    key: str
    settings: Mapping[str, JSON]
    inputs: Mapping[str, Artifact]
    files: Mapping[str, Path]
    out: Path
    scratch: Path
    lake: Path
    code: str

    def folder(self, role: str) -> Path:
        """Return the folder of the artifact that plays a role in this build."""
        return self.inputs[role].folder


Build = Callable[[Work], Outcome]


class Lake:
    """The store, the graph of what can be in it, and the code as it was when this process started."""

    def __init__(self, root: Path, graph: Graph) -> None:
        self.root = root.resolve()
        self.graph = graph
        self.store = Store(self.root)
        self.hashes = RememberedHashes(self.root / "cache" / "hashes")
        self.warehouse = Warehouse(self.root, self.store)
        self._loaded_code = {node.code: code_hashes(node.code) for node in graph.nodes.values()}

    def planner(self) -> Planner:
        """Return a planner that looks at the files, the code and the store as they are now."""
        return Planner(self.graph, self.store, self.hashes)

    def obtain(self, key: str, build: Build, say: Callable[[str], None] = lambda _: None) -> Artifact:
        """Return the artifact of `key`, building it if no stored one has its inputs."""
        node = self.graph[key]
        require_supported([node])
        require_files([node])
        planner = self.planner()
        upstream = self._ready_upstream(planner, node)
        state = planner.state(key)
        with clear_disk_errors(self.root):
            artifact = self._found(node, state)
            if artifact is None:
                with held(self.root / IN_USE, shared=True):
                    artifact = self._build_once(node, state, upstream, build, say)
                    self.store.point_head(key, artifact.folder)
            self.store.point_head(key, artifact.folder)
            if not self.warehouse.is_current():
                self.warehouse.publish()
        return artifact

    def _ready_upstream(self, planner: Planner, node: Node) -> dict[str, Artifact]:
        ready = {}
        for role, need in node.needs.items():
            state = planner.state(need.key)
            if not isinstance(state, Cached):
                self._require_loaded_code(self.graph[need.key])
                reason = state.reason if isinstance(state, ToBuild) else f"waits for {', '.join(state.waits_for)}"
                raise NotReady(f"{node.key} is built from {need.key}, which has to be built first: {reason}")
            refused = state.artifact.manifest.refused_by()
            if refused:
                raise NotReady(f"{node.key} is built from {need.key}, which failed its check {', '.join(refused)}")
            ready[role] = state.artifact
        return ready

    def _found(self, node: Node, state: State) -> Artifact | None:
        if not isinstance(state, Cached):
            return None
        found = state.artifact
        if found.manifest.key == node.key:
            return found
        inputs = {**found.manifest.inputs, "needs": _needs(node, self._ready_upstream(self.planner(), node))}
        why = f"equal inputs were built as {found.manifest.key}"
        return self.store.carry(found, node.key, found.manifest.fingerprint, inputs, why)

    def _build_once(
        self, node: Node, state: State, upstream: dict[str, Artifact], build: Build, say: Callable[[str], None]
    ) -> Artifact:
        if not isinstance(state, ToBuild) or state.fingerprint is None or state.inputs is None:
            raise NotReady(f"{node.key}: its inputs are not all known")  # pragma: no cover
        self._require_loaded_code(node)
        lock = self.root / "locks" / f"{state.fingerprint}.lock"
        with held(lock, lambda: say(f"{node.key}: another run is building it; waiting for that one")):
            found = self.store.find(node.key, node.stage, state.fingerprint)
            if found is not None:
                return found
            say(f"{node.key}: building, {state.reason}")
            own = self.store.folder(node.key, state.fingerprint)
            if own.exists():
                self.store.discard(own)
            return self._build(node, state.fingerprint, state.inputs, upstream, build)

    def _build(
        self, node: Node, fingerprint: str, inputs: dict[str, Any], upstream: dict[str, Artifact], build: Build
    ) -> Artifact:
        scratch = self.root / "scratch" / fingerprint
        with workspace(self.root) as folder:
            out = folder / "files"
            out.mkdir()
            scratch.mkdir(parents=True, exist_ok=True)
            work = Work(
                key=node.key, settings=node.settings, inputs=upstream, files=node.files, out=out, scratch=scratch,
                lake=self.root, code=combined_code(inputs["code"]),
            )  # fmt: skip
            started = time.perf_counter()
            outcome = build(work)
            seconds = time.perf_counter() - started
            self._require_still_inputs(node, inputs)
            files = list_files(out)
            manifest = Manifest(
                key=node.key, stage=node.stage, fingerprint=fingerprint, content=combined_content(files),
                inputs=inputs, files=files, outcome=outcome.to_json(), provenance=provenance(seconds),
            )  # fmt: skip
            artifact = self.store.publish(out, manifest)
        shutil.rmtree(scratch, ignore_errors=True)
        return artifact

    def _require_loaded_code(self, node: Node) -> None:
        if code_hashes(node.code) != self._loaded_code[node.code]:
            raise InputChanged(
                f"{node.key}: the code of {', '.join(node.code)} was edited after this process had loaded it. "
                "Start the run again (in the UI: reload the code location first)."
            )

    def _require_still_inputs(self, node: Node, inputs: dict[str, Any]) -> None:
        require_files([node])
        now = {
            **inputs,
            "files": {name: self.hashes.of(path) for name, path in sorted(node.files.items())},
            "code": code_hashes(node.code),
        }
        changed = what_changed(node, inputs, now)
        if changed:
            raise InputChanged(f"{node.key}: {changed} while it was being built. Nothing was stored; start it again.")


def combined_code(code: Mapping[str, str]) -> str:
    """Return one hash for the code of a stage."""
    return sha256_json(dict(code))


def _needs(node: Node, upstream: Mapping[str, Artifact]) -> dict[str, Any]:
    return {
        role: {"key": need.key, "only": need.only, "content": upstream[role].manifest.content_of(need.only)}
        for role, need in node.needs.items()
    }


def provenance(seconds: float) -> dict[str, Any]:
    """Return when, how long and with what something was built; nothing secret, nothing that names a person."""
    return {
        "built_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
        "libraries": _library_versions(),
    }


@lru_cache(maxsize=1)
def _library_versions() -> dict[str, str]:
    found = {}
    for name in RECORDED_LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
