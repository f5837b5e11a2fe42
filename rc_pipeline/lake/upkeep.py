"""Keeping the store whole, small, and useful through refactorings: verify, gc, accept."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from rc_pipeline.lake.build import IN_USE, Lake
from rc_pipeline.lake.locks import held, sweep
from rc_pipeline.lake.manifest import MANIFEST
from rc_pipeline.lake.planner import Cached, Planner, ToBuild, Unknown, fingerprint_of
from rc_pipeline.lake.store import Artifact, damage, read_artifact


@dataclass(frozen=True)
class Rubbish:
    """Something that no study needs any more."""

    path: Path
    what: str
    bytes: int


@dataclass(frozen=True)
class Verified:
    """How many artifacts were looked at, what is wrong, and which folders are damaged."""

    artifacts: int
    problems: list[str]
    damaged: list[Path]


def verify(lake: Lake) -> Verified:
    """Hash everything in the store again and tell what is damaged."""
    problems: list[str] = []
    damaged: list[Path] = []
    folders = [page.parent for page in sorted(lake.store.store.rglob(MANIFEST))]
    for folder in folders:
        found = _wrong_in(folder)
        problems += found
        damaged += [folder] if found else []
    for link, target in lake.store.head_links().items():
        if read_artifact(target) is None:
            problems.append(f"{lake.store.heads / link}: points at nothing that can be read")
    return Verified(len(folders), problems, damaged)


def _wrong_in(folder: Path) -> list[str]:
    artifact = read_artifact(folder)
    if artifact is None:
        return [f"{folder / MANIFEST}: cannot be read as a manifest"]
    known = {MANIFEST, *artifact.manifest.files}
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    extra = [path for path in files if str(path.relative_to(folder)) not in known]
    return damage(artifact, thorough=True) + [f"{path}: not in the manifest" for path in extra]


def rubbish(lake: Lake) -> list[Rubbish]:
    """List artifacts that neither a head nor today's catalog reaches, and what dead builds left behind."""
    kept = {artifact.folder.resolve() for artifact in lake.store.all_heads().values()}
    kept |= {state.artifact.folder.resolve() for state in _all_states(lake).values() if isinstance(state, Cached)}
    found = [
        Rubbish(artifact.folder, "artifact", _size(artifact.folder))
        for artifact in lake.store.all()
        if artifact.folder.resolve() not in kept
    ]
    waiting = {state.fingerprint for state in _all_states(lake).values() if isinstance(state, ToBuild)}
    scratch = sorted((lake.root / "scratch").glob("*"))
    return found + [Rubbish(path, "scratch", _size(path)) for path in scratch if path.name not in waiting]


def collect(lake: Lake) -> list[Rubbish]:
    """Delete rubbish and return what it was; waits while a build is under way."""
    with held(lake.root / IN_USE):
        found = rubbish(lake)
        for item in found:
            if item.what == "artifact":
                lake.store.discard(item.path)
            else:
                shutil.rmtree(item.path, ignore_errors=True)
        sweep(lake.root)
    return found


def accept(lake: Lake, patterns: Iterable[str]) -> dict[str, str]:
    """Record that code changes do not alter results: carry artifacts over whose other inputs are the same.

    Returns what was done, or why nothing could be, for every key that a pattern names.
    """
    wanted = list(patterns)
    keys = [key for key in lake.graph.nodes if any(fnmatchcase(key, pattern) for pattern in wanted)]
    for pattern in wanted:
        if not any(fnmatchcase(key, pattern) for key in keys):
            lake.graph[pattern]
    # A pattern is meant for what there is; a key that was never built has nothing to carry over.
    stored = [key for key in keys if key in wanted or lake.store.versions(key)]
    return {key: _accept(lake, lake.planner(), key) for key in stored}


def _accept(lake: Lake, planner: Planner, key: str) -> str:
    state = planner.state(key)
    if isinstance(state, Cached):
        return "stands already"
    if isinstance(state, Unknown) or state.inputs is None or state.fingerprint is None:
        return "not accepted: something that it is built from has to be built or accepted first"
    for artifact in _newest_first(lake.store.versions(key)):
        before = artifact.manifest.inputs
        if before["code"] != state.inputs["code"] and _same_but_code(before, state.inputs):
            changed = sorted(
                name
                for name in before["code"].keys() | state.inputs["code"].keys()
                if before["code"].get(name) != state.inputs["code"].get(name)
            )
            why = f"accepted on {datetime.now(UTC).date()}: code of {', '.join(changed)} does not alter results"
            carried = lake.store.carry(artifact, key, state.fingerprint, state.inputs, why)
            lake.store.point_head(key, carried.folder)
            lake.warehouse.publish()
            return why
    return f"not accepted: more than code changed ({state.reason})"


def _same_but_code(before: dict[str, object], now: dict[str, object]) -> bool:
    stage = "any"
    return fingerprint_of(stage, {**before, "code": {}}) == fingerprint_of(stage, {**now, "code": {}})


def _newest_first(artifacts: Iterable[Artifact]) -> list[Artifact]:
    return sorted(artifacts, key=lambda artifact: str(artifact.manifest.provenance["built_at"]), reverse=True)


def _all_states(lake: Lake) -> dict[str, Cached | ToBuild | Unknown]:
    return lake.planner().plan(lake.graph.nodes).states


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
