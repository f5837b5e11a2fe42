"""Before a run: what will be built, why, and what stands.

Nothing here trusts a pointer that could be stale. The content of every upstream is looked up from
specs and manifests, recursively, so the answer is the same with a new Dagster home or a lost one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rc_pipeline.lake.canonical import sha256_json
from rc_pipeline.lake.code import code_hashes
from rc_pipeline.lake.differences import what_changed
from rc_pipeline.lake.graph import Graph, Node
from rc_pipeline.lake.hashing import RememberedHashes
from rc_pipeline.lake.manifest import SCHEMA, settings_as_json
from rc_pipeline.lake.store import Artifact, Store


class MissingInput(ValueError):
    """Files that a user has to provide are not there."""


@dataclass(frozen=True)
class Cached:
    """The artifact stands."""

    artifact: Artifact


@dataclass(frozen=True)
class ToBuild:
    """The artifact has to be built; `fingerprint` and `inputs` are known once all upstreams stand."""

    reason: str
    inputs: dict[str, Any] | None = None
    fingerprint: str | None = None


@dataclass(frozen=True)
class Unknown:
    """Whether it has to be built depends on what the keys it waits for turn out to say."""

    waits_for: tuple[str, ...]


State = Cached | ToBuild | Unknown


@dataclass(frozen=True)
class Plan:
    """The state of every asset that was asked for, each after what it needs."""

    states: dict[str, State]

    def to_json(self) -> dict[str, Any]:
        """Return the plan as `plan --json` prints it."""
        return {
            "build": [{"key": k, "reason": s.reason} for k, s in self.states.items() if isinstance(s, ToBuild)],
            "unknown": [
                {"key": k, "waits_for": list(s.waits_for)} for k, s in self.states.items() if isinstance(s, Unknown)
            ],
            "cached": [k for k, s in self.states.items() if isinstance(s, Cached)],
        }


class Planner:
    """Works out the state of assets from the graph, the code, the files and the store; it writes nothing."""

    def __init__(self, graph: Graph, store: Store, hashes: RememberedHashes) -> None:
        self.graph = graph
        self.store = store
        self.hashes = hashes
        self._states: dict[str, State] = {}
        self._versions: dict[str, list[Artifact]] = {}
        self._places: dict[str, dict[str, list[Path]]] = {}
        self._code: dict[tuple[str, ...], dict[str, str]] = {}

    def plan(self, keys: Iterable[str]) -> Plan:
        """Return the state of the keys and of all that they are built from."""
        return Plan({key: self.state(key) for key in self.graph.upstream(keys)})

    def state(self, key: str) -> State:
        """Return the state of one asset."""
        if key not in self._states:
            self._states[key] = self._resolve(self.graph[key])
        return self._states[key]

    def _resolve(self, node: Node) -> State:
        missing = missing_files(node)
        if missing:
            return ToBuild(f"waits for files: {'; '.join(missing)}")
        inputs = self.own_inputs(node)
        upstream = {role: self.state(need.key) for role, need in node.needs.items()}
        waiting = sorted({node.needs[role].key for role, state in upstream.items() if not isinstance(state, Cached)})
        inputs["needs"] = {
            role: {
                "key": node.needs[role].key,
                "only": node.needs[role].only,
                "content": state.artifact.manifest.content_of(node.needs[role].only),
            }
            for role, state in upstream.items()
            if isinstance(state, Cached)
        }
        if waiting:
            return self._undecided(node, inputs, waiting)
        fingerprint = fingerprint_of(node.stage, inputs)
        found = self.store.whole(self.store.folder(node.key, fingerprint)) or self._elsewhere(node, fingerprint)
        return Cached(found) if found else ToBuild(self._reason(node, inputs, fingerprint), inputs, fingerprint)

    def _elsewhere(self, node: Node, fingerprint: str) -> Artifact | None:
        """Return an artifact of equal inputs that was built under another key of the stage."""
        if node.stage not in self._places:
            self._places[node.stage] = self.store.places(node.stage)
        equal = self._places[node.stage].get(fingerprint, ())
        return next((found for folder in equal if (found := self.store.whole(folder)) is not None), None)

    def _stage(self, stage: str) -> list[Artifact]:
        # Read once a plan: a lake of a thousand artifacts has many keys that ask.
        if stage not in self._versions:
            self._versions[stage] = self.store.stage_versions(stage)
        return self._versions[stage]

    def _undecided(self, node: Node, inputs: dict[str, Any], waiting: list[str]) -> State:
        """Tell what is sure to be built from what depends on an upstream's content."""
        for artifact in self._stage(node.stage):
            stored = artifact.manifest.inputs
            if all(stored[part] == inputs[part] for part in ("settings", "files", "code")) and all(
                stored["needs"].get(role, {}).get("content") == known["content"]
                for role, known in inputs["needs"].items()
            ):
                return Unknown(tuple(waiting))
        return ToBuild(self._reason(node, inputs))

    def own_inputs(self, node: Node) -> dict[str, Any]:
        """Return what a node reads apart from upstreams: settings, files and code, as they are now."""
        if node.code not in self._code:
            # Most nodes of a stage share it.
            self._code[node.code] = code_hashes(node.code)
        return {
            "settings": settings_as_json(dict(node.settings)),
            "files": {name: self.hashes.of(path) for name, path in sorted(node.files.items())},
            "code": dict(self._code[node.code]),
        }

    def _reason(self, node: Node, inputs: dict[str, Any], fingerprint: str | None = None) -> str:
        if fingerprint is not None and self.store.folder(node.key, fingerprint).exists():
            return "damaged in the store"
        head = self.store.head(node.key)
        if head is None:
            return "never built"
        return what_changed(node, head.manifest.inputs, inputs) or "no artifact with these inputs is stored"


def fingerprint_of(stage: str, inputs: dict[str, Any]) -> str:
    """Return the identity of an artifact: its stage, settings, code, files and its upstreams' content."""
    return sha256_json(
        {
            "schema": SCHEMA,
            "stage": stage,
            "settings": inputs["settings"],
            "code": inputs["code"],
            "files": inputs["files"],
            "needs": {role: need["content"] for role, need in inputs["needs"].items()},
        }
    )


def missing_files(node: Node) -> list[str]:
    """Name the files that a node reads and that are not there."""
    return [str(path) for _, path in sorted(node.files.items()) if not path.exists()]


def require_files(nodes: Iterable[Node]) -> None:
    """Raise one error that names every missing file of these nodes once, and what to do."""
    lines: dict[str, str] = {}
    for node in nodes:
        hint = f", from {node.about['homepage']}" if node.about.get("homepage") else ""
        for path in missing_files(node):
            lines.setdefault(path, f"  {path}  for {node.key}{hint}")
    if lines:
        raise MissingInput(
            f"{len(lines)} input file(s) are missing. Put each at the path shown (a model's whole folder beside its "
            "config.json), then start the run again; nothing was built.\n" + "\n".join(lines.values())
        )
