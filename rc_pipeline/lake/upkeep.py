"""Keeping the store whole, small, and useful through refactorings: verify, gc, accept."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from rc_pipeline.lake.build import IN_USE, Lake
from rc_pipeline.lake.differences import changed_names
from rc_pipeline.lake.locks import held, sweep
from rc_pipeline.lake.manifest import MANIFEST
from rc_pipeline.lake.planner import Cached, Planner, ToBuild, Unknown, fingerprint_of, require_files
from rc_pipeline.lake.store import damage, read_artifact

FINGERPRINT = re.compile("[0-9a-f]{64}")


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
    folders = sorted(path for path in lake.store.store.rglob("*") if FINGERPRINT.fullmatch(path.name))
    for folder in folders:
        found = _wrong_in(folder)
        problems += found
        damaged += [folder] if found else []
    for link, target in lake.store.head_links().items():
        if read_artifact(target) is None:
            problems.append(f"{lake.store.heads / link}: points at nothing that can be read")
            damaged.append(lake.store.heads / link)
    return Verified(len(folders), problems, damaged)


def _wrong_in(folder: Path) -> list[str]:
    artifact = read_artifact(folder)
    if artifact is None:
        return [f"{folder / MANIFEST}: missing, or cannot be read as a manifest"]
    return damage(artifact, thorough=True)


def discard(lake: Lake, paths: Iterable[Path], on_wait: Callable[[], None] | None = None) -> None:
    """Take artifacts out of the store, and links to them or to nothing out of the heads; they are built again."""
    with held(lake.root / IN_USE, on_wait):
        links = {folder: lake.store.heads / key for key, folder in lake.store.head_links().items()}
        for path in paths:
            link = path if path.is_symlink() else links.get(path.resolve())
            if link is not None:
                link.unlink(missing_ok=True)
            if path.exists():
                lake.store.discard(path)


def rubbish(lake: Lake) -> list[Rubbish]:
    """List artifacts that today's catalog does not reach, and what dead builds left behind.

    While inputs are missing nobody can tell which artifacts their return would bring back, so nothing is listed.
    """
    states = lake.planner().plan(lake.graph.nodes).states
    require_files(node for node in lake.graph.nodes.values() if lake.store.versions(node.key))
    heads = lake.store.head_links()
    kept = {path for key, path in heads.items() if key in lake.graph.nodes}
    kept |= {state.artifact.folder for state in states.values() if isinstance(state, Cached)}
    found = [
        Rubbish(artifact.folder, "artifact", _size(artifact.folder))
        for artifact in lake.store.all()
        if artifact.folder not in kept
    ]
    found += [Rubbish(lake.store.heads / key, "head", 0) for key in sorted(heads.keys() - lake.graph.nodes.keys())]
    waiting = {state.fingerprint for state in states.values() if isinstance(state, ToBuild)}
    scratch = sorted((lake.root / "scratch").glob("*"))
    return found + [Rubbish(path, "scratch", _size(path)) for path in scratch if path.name not in waiting]


def collect(lake: Lake, on_wait: Callable[[], None] | None = None) -> list[Rubbish]:
    """Delete rubbish and return what it was; waits while a build is under way."""
    with held(lake.root / IN_USE, on_wait):
        found = rubbish(lake)
        for item in found:
            if item.what == "artifact":
                lake.store.discard(item.path)
            elif item.what == "head":
                item.path.unlink()
            else:
                shutil.rmtree(item.path, ignore_errors=True)
        sweep(lake.root)
    lake.warehouse.publish()
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
    stored = [key for key in keys if key in wanted or lake.store.head(key)]
    return {key: _accept(lake, lake.planner(), key) for key in stored}


def _accept(lake: Lake, planner: Planner, key: str) -> str:
    state = planner.state(key)
    if isinstance(state, Cached):
        return "stands already"
    if isinstance(state, Unknown) or state.inputs is None or state.fingerprint is None:
        return "not accepted: something that it is built from has to be built or accepted first"
    head = lake.store.head(key)
    if head is None or damage(head, thorough=True):
        return "not accepted: there is no whole artifact to carry over"
    if head.manifest.refused_by():
        return f"not accepted: the artifact failed its check {', '.join(head.manifest.refused_by())}"
    before = head.manifest.inputs
    if not _same_but_code(before, state.inputs):
        return f"not accepted: more than code changed ({state.reason})"
    changed = changed_names(before["code"], state.inputs["code"])
    why = f"accepted on {datetime.now(UTC).date()}: code of {', '.join(changed)} does not alter results"
    carried = lake.store.carry(head, key, state.fingerprint, state.inputs, why)
    lake.store.point_head(key, carried.folder)
    lake.warehouse.publish()
    return why


def _same_but_code(before: dict[str, object], now: dict[str, object]) -> bool:
    stage = "any"
    return fingerprint_of(stage, {**before, "code": {}}) == fingerprint_of(stage, {**now, "code": {}})


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
