"""Small zip archives, good and hostile, for the tests of corpora and tables."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

Entry = tuple[str | zipfile.ZipInfo, bytes]


def write_zip(path: Path, entries: Iterable[Entry] | Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries.items() if isinstance(entries, Mapping) else entries:
            archive.writestr(name, data, None if isinstance(name, zipfile.ZipInfo) else method)
    return path
