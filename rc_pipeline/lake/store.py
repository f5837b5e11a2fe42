"""The content-addressed store: artifacts that appear whole, never change, and are found by fingerprint."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rc_pipeline.lake.durable import link_atomically, link_or_copy, sync_folder, sync_tree
from rc_pipeline.lake.hashing import content_hash, sha256_file
from rc_pipeline.lake.locks import workspace
from rc_pipeline.lake.manifest import MANIFEST, Manifest, is_content

FILES_AT_ONCE = 4


@dataclass(frozen=True)
class Artifact:
    """A folder in the store and the page that describes it."""

    folder: Path
    manifest: Manifest
    reused: bool = True


class Store:
    """Artifacts under `store/<key>/<fingerprint>/`, and `heads/<key>` links to the latest of each."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = root / "store"
        self.heads = root / "heads"

    def folder(self, key: str, fingerprint: str) -> Path:
        """Return where an artifact lies or would lie."""
        return self.store / key / fingerprint

    def find(self, key: str, stage: str, fingerprint: str) -> Artifact | None:
        """Return the whole artifact with this fingerprint: under its key, or under another key of the stage."""
        own = self.whole(self.folder(key, fingerprint))
        if own is not None:
            return own
        others = sorted(self.store.glob(f"{stage}/**/{fingerprint}"))
        return next((found for folder in others if (found := self.whole(folder)) is not None), None)

    def whole(self, folder: Path) -> Artifact | None:
        """Return the artifact in a folder if nothing of it is missing or cut."""
        artifact = read_artifact(folder)
        return artifact if artifact is not None and not damage(artifact, thorough=False) else None

    def all(self) -> Iterator[Artifact]:
        """Yield every artifact in the store, by path."""
        for page in sorted(self.store.rglob(MANIFEST)):
            artifact = read_artifact(page.parent)
            if artifact is not None:
                yield artifact

    def versions(self, key: str) -> list[Artifact]:
        """Return the artifacts stored under one key."""
        folders = sorted((self.store / key).glob("*")) if (self.store / key).is_dir() else []
        return [artifact for folder in folders if (artifact := read_artifact(folder)) is not None]

    def stage_versions(self, stage: str) -> list[Artifact]:
        """Return the artifacts of a stage, whatever their keys."""
        pages = sorted((self.store / stage).rglob(MANIFEST))
        return [artifact for page in pages if (artifact := read_artifact(page.parent)) is not None]

    def places(self, stage: str) -> dict[str, list[Path]]:
        """Return the folders of a stage's artifacts by fingerprint, without reading any."""
        found: dict[str, list[Path]] = {}
        for name, folders, files in os.walk(self.store / stage):
            if MANIFEST in files:
                folder = Path(name)
                found.setdefault(folder.name, []).append(folder)
                folders.clear()
            folders.sort()
        return found

    def head(self, key: str) -> Artifact | None:
        """Return the artifact that was last built or found for a key."""
        link = self.heads / key
        return read_artifact(link.resolve()) if link.is_symlink() else None

    def all_heads(self) -> dict[str, Artifact]:
        """Return the latest artifact of every key that has one."""
        found = {key: read_artifact(target) for key, target in self.head_links().items()}
        return {key: artifact for key, artifact in found.items() if artifact is not None}

    def head_links(self) -> dict[str, Path]:
        """Return where the head of every key points."""
        links = sorted(path for path in self.heads.rglob("*") if path.is_symlink() and not path.name.startswith("."))
        return {str(link.relative_to(self.heads)): link.resolve() for link in links}

    def point_head(self, key: str, folder: Path) -> None:
        """Make an artifact the latest of its key."""
        link = self.heads / key
        if not (link.is_symlink() and link.resolve() == folder.resolve()):
            link_atomically(link, folder)

    def publish(self, built: Path, manifest: Manifest) -> Artifact:
        """Move a finished folder into the store in one step; a loser of a race adopts the winner."""
        (built / MANIFEST).write_bytes(manifest.to_bytes())
        for path in built.rglob("*"):
            # A file with other links belongs to an artifact that is closed already, perhaps another user's.
            if path.is_file() and path.stat().st_nlink == 1:
                path.chmod(0o444)
        sync_tree(built)
        target = self.folder(manifest.key, manifest.fingerprint)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            built.rename(target)
        except OSError:
            if not target.exists():
                raise
            winner = self.whole(target)
            if winner is not None:
                return winner
            self.discard(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            built.rename(target)
        sync_folder(target.parent)
        return Artifact(target, manifest, reused=False)

    def carry(self, source: Artifact, key: str, fingerprint: str, inputs: dict[str, Any], why: str) -> Artifact:
        """Let an artifact stand under another key or fingerprint too; its files are linked, not copied."""
        note = {"from": str(source.folder.relative_to(self.store)), "why": why}
        manifest = replace(
            source.manifest,
            key=key,
            fingerprint=fingerprint,
            inputs=inputs,
            carried=[*source.manifest.carried, note],
        )
        with workspace(self.root) as folder:
            shutil.copytree(
                source.folder, folder / "files", copy_function=link_or_copy, ignore=shutil.ignore_patterns(MANIFEST)
            )
            return replace(self.publish(folder / "files", manifest), reused=True)

    def discard(self, folder: Path) -> None:
        """Take a folder out of the store in one step, then delete it."""
        with workspace(self.root) as away:
            folder.rename(away / "discarded")
        with suppress(OSError):
            folder.parent.rmdir()


def read_artifact(folder: Path) -> Artifact | None:
    """Return the artifact in a folder, or nothing when there is none that can be read."""
    try:
        return Artifact(folder, Manifest.read(folder))
    except (OSError, ValueError, TypeError):
        return None


def list_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Return every file's size and hashes, by name relative to the folder."""
    paths: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            raise ValueError(f"{path}: an artifact holds plain files only, not links")
        if path.is_file() and name != MANIFEST:
            paths[name] = path
    # Hashing leaves the interpreter to others; a few at a time, because each holds a chunk of its file.
    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        return dict(zip(paths, pool.map(_entry, paths, paths.values()), strict=True))


def _entry(name: str, path: Path) -> dict[str, Any]:
    entry: dict[str, Any] = {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
    if is_content(name):
        entry["content"] = content_hash(path) if path.suffix == ".parquet" else entry["sha256"]
    return entry


def damage(artifact: Artifact, *, thorough: bool) -> list[str]:
    """Name what is missing, cut or (when thorough) altered in an artifact."""
    found = []
    for name, entry in artifact.manifest.files.items():
        path = artifact.folder / name
        if not path.is_file():
            found.append(f"{path}: missing")
        elif path.stat().st_size != entry["bytes"]:
            found.append(f"{path}: {path.stat().st_size} bytes instead of {entry['bytes']}")
        elif thorough and sha256_file(path) != entry["sha256"]:
            found.append(f"{path}: its bytes are not those that were stored")
    return found
