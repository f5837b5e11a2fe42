"""The read-through cache: an artifact is found, or built once, whole, from inputs that held still."""

from __future__ import annotations

import platform
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from rc_pipeline.lake.code import code_hashes
from rc_pipeline.lake.differences import what_changed
from rc_pipeline.lake.durable import clear_disk_errors
from rc_pipeline.lake.graph import Graph, Node
from rc_pipeline.lake.hashing import RememberedHashes, stamp
from rc_pipeline.lake.locks import held, workspace
from rc_pipeline.lake.manifest import Manifest, combined_content
from rc_pipeline.lake.outcome import JSON, Outcome
from rc_pipeline.lake.planner import Cached, MissingInput, Planner, ToBuild, require_files
from rc_pipeline.lake.store import Artifact, Store, list_files
from rc_pipeline.lake.warehouse import Warehouse

RECORDED_LIBRARIES = (
    "bitsandbytes", "dagster", "datasets", "duckdb", "pandera", "peft", "polars", "safetensors", "tokenizers",
    "torch", "transformers",
)  # fmt: skip


# Held by builds together, and by the garbage collection alone.
IN_USE = Path("locks", "in_use.lock")
# Of a run's time, what showing it in the warehouse may take: with 200 artifacts, half a second after each new one.
SHOWING = 0.1


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
    code: Mapping[str, str]
    say: Callable[[str], None]
    # What decides no content, such as where a file of a known checksum can be had.
    about: Mapping[str, JSON] = field(default_factory=dict)

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
        self.warehouse = Warehouse(self.root, self.store, graph.nodes)
        self.loaded_code = {code: code_hashes(code) for code in {node.code for node in graph.nodes.values()}}
        self._show_again_at = 0.0

    def planner(self) -> Planner:
        """Return a planner that looks at the files, the code and the store as they are now."""
        return Planner(self.graph, self.store, self.hashes)

    def obtain(self, key: str, build: Build, say: Callable[[str], None] = lambda _: None) -> Artifact:
        """Return the artifact of `key`, building it if no stored one has its inputs."""
        node = self.graph[key]
        require_files([node])
        with clear_disk_errors(self.root):
            artifact = self._standing(node)
            if artifact is not None:
                self.store.point_head(key, artifact.folder)
            else:
                # The garbage collection waits for this, so what is looked up here cannot go away meanwhile.
                with held(self.root / IN_USE, shared=True):
                    artifact = self._build_once(node, build, say)
                    self.store.point_head(key, artifact.folder)
        if time.monotonic() >= self._show_again_at:
            self.show(say)
        return artifact

    def _standing(self, node: Node) -> Artifact | None:
        planner = self.planner()
        self._ready_upstream(planner, node)
        state = planner.state(node.key)
        found = state.artifact if isinstance(state, Cached) else None
        return found if found is not None and found.manifest.key == node.key else None

    def show(self, say: Callable[[str], None] = lambda _: None) -> None:
        """Bring the warehouse up to date; what it shows is never a reason for a build to fail."""
        started = time.monotonic()
        with clear_disk_errors(self.root):
            try:
                # To look takes time as well: it reads the head of every key.
                if not self.warehouse.is_current():
                    self.warehouse.publish()
            except Exception as error:
                if isinstance(error, OSError):
                    raise
                say(f"the warehouse could not be brought up to date: {error}")
        ended = time.monotonic()
        self._show_again_at = ended + (ended - started) / SHOWING

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
                raise NotReady(
                    f"{node.key} is built from {need.key}, which failed its check {', '.join(refused)}. Mend what it "
                    f"was built from; or, if it failed by chance, `rc-pipeline discard {need.key}` and run again."
                )
            ready[role] = state.artifact
        return ready

    def _build_once(self, node: Node, build: Build, say: Callable[[str], None]) -> Artifact:
        planner = self.planner()
        upstream, state = self._ready_upstream(planner, node), planner.state(node.key)
        if isinstance(state, Cached):
            return self._under_own_key(node, state.artifact, upstream)
        if not isinstance(state, ToBuild) or state.fingerprint is None or state.inputs is None:
            raise NotReady(f"{node.key}: its inputs are not all known")  # pragma: no cover
        self._require_loaded_code(node)
        lock = self.root / "locks" / f"{state.fingerprint}.lock"
        with held(lock, lambda: say(f"{node.key}: another run is building it; waiting for that one")):
            found = self.store.find(node.key, node.stage, state.fingerprint)
            if found is not None:
                return self._under_own_key(node, found, upstream)
            say(f"{node.key}: building, {state.reason}")
            own = self.store.folder(node.key, state.fingerprint)
            if own.exists():
                self.store.discard(own)
            return self._build(node, state, upstream, build, say)

    def _under_own_key(self, node: Node, found: Artifact, upstream: Mapping[str, Artifact]) -> Artifact:
        if found.manifest.key == node.key:
            return found
        inputs = {**found.manifest.inputs, "needs": _needs(node, upstream)}
        why = f"equal inputs were built as {found.manifest.key}"
        return self.store.carry(found, node.key, found.manifest.fingerprint, inputs, why)

    def _build(
        self, node: Node, state: ToBuild, upstream: dict[str, Artifact], build: Build, say: Callable[[str], None]
    ) -> Artifact:
        fingerprint, inputs = str(state.fingerprint), dict(state.inputs or {})
        scratch = self.root / "scratch" / fingerprint
        stamps = {name: stamp(path) for name, path in node.files.items()}
        with workspace(self.root) as folder:
            out = folder / "files"
            out.mkdir()
            scratch.mkdir(parents=True, exist_ok=True)
            work = Work(
                key=node.key, settings=node.settings, inputs=upstream, files=node.files, out=out, scratch=scratch,
                lake=self.root, code=inputs["code"], say=lambda text: say(f"{node.key}: {text}"), about=node.about,
            )  # fmt: skip
            started = time.perf_counter()
            outcome = build(work)
            seconds = time.perf_counter() - started
            try:
                self._require_still_inputs(node, inputs, stamps)
            except (InputChanged, MissingInput):
                # Checkpoints and rows that were made of the other input must not be gone on with.
                shutil.rmtree(scratch, ignore_errors=True)
                raise
            files = list_files(out)
            manifest = Manifest(
                key=node.key, stage=node.stage, fingerprint=fingerprint, content=combined_content(files),
                inputs=inputs, files=files, outcome=outcome.to_json(), provenance=provenance(seconds),
            )  # fmt: skip
            artifact = self.store.publish(out, manifest)
        self._keep_for_later(scratch)
        return artifact

    def _keep_for_later(self, scratch: Path) -> None:
        """Move what a build adds to the lake's cache into it, now that its inputs have proved still."""
        for path in sorted((scratch / "cache").rglob("*")):
            if path.is_file():
                target = self.root / "cache" / path.relative_to(scratch / "cache")
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
        shutil.rmtree(scratch, ignore_errors=True)

    def _require_loaded_code(self, node: Node) -> None:
        if code_hashes(node.code) != self.loaded_code[node.code]:
            raise InputChanged(
                f"{node.key}: the code of {', '.join(node.code)} was edited after this process had loaded it. "
                "Start the run again (in the UI: reload the code location first)."
            )

    def _require_still_inputs(self, node: Node, inputs: dict[str, Any], stamps: Mapping[str, object]) -> None:
        require_files([node])
        now = {
            **inputs,
            "files": {name: self.hashes.of(path) for name, path in sorted(node.files.items())},
            "code": code_hashes(node.code),
        }
        touched = sorted(name for name, path in node.files.items() if stamp(path) != stamps[name])
        changed = what_changed(node, inputs, now) or (f"input file written to: {', '.join(touched)}" if touched else "")
        if changed:
            raise InputChanged(f"{node.key}: {changed} while it was being built. Nothing was stored; start it again.")


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
