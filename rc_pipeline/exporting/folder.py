"""A folder that appears whole, or not at all."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rc_pipeline.lake.durable import sync_folder, sync_tree

PROVENANCE = "_provenance.json"


@contextmanager
def new_folder(out: Path, *, force: bool) -> Iterator[Path]:
    """Give a folder beside `out` that becomes `out` at the end; `force` replaces an earlier export, and only that."""
    refuse_to_replace(out, force=force)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = (out.with_name(f".{out.name}.{uuid.uuid4().hex}") for _ in range(2))
    temporary.mkdir()
    try:
        yield temporary
        sync_tree(temporary)
        if out.exists():
            refuse_to_replace(out, force=force)
            out.rename(old)
        temporary.rename(out)
        sync_folder(out.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if old.exists() and not out.exists():
            old.rename(out)
        shutil.rmtree(old, ignore_errors=True)


def refuse_to_replace(out: Path, *, force: bool) -> None:
    """Raise ValueError when something is at `out` that must not go."""
    if not out.exists() and not out.is_symlink():
        return
    if not force:
        raise ValueError(f"{out} is there already; name another folder, or add --force to replace an earlier export")
    if out.is_symlink() or not (out / PROVENANCE).is_file():
        raise ValueError(f"{out} holds no {PROVENANCE}, so it is no earlier export, and is not replaced; move it away")
