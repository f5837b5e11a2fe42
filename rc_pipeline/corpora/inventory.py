"""The raw files of a dataset one by one, whether they lie on disk, in folders or inside archives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rc_pipeline.corpora.archives import members_of
from rc_pipeline.corpora.readers import CorpusError, Readable, text_fault, unreadable
from rc_pipeline.corpora.zips import gunzipped, zip_members

ARCHIVES = re.compile(r"\.(zip|tar|tgz|tar\.(gz|bz2|xz))$")
# What systems leave in folders and archives beside the data.
LITTER = re.compile(r"(^|/)(\.[^/]*|__MACOSX|Thumbs\.db|desktop\.ini)(/|$)")
SPLIT_NAMES = dict.fromkeys(("valid", "validation", "val", "dev"), "valid") | {"train": "train", "test": "test"}
_NAMED = re.compile(rf"({'|'.join(sorted(SPLIT_NAMES, key=len, reverse=True))})(?=[-_./]|$)")


@dataclass(frozen=True)
class RawFile:
    """One raw file, to be read from front to back before the next one is asked for."""

    name: str
    path: Path
    data: Readable
    packed: bool

    def __str__(self) -> str:
        """Return what messages call the file."""
        return f"{self.path}: {self.name}" if self.packed else str(self.path)


def raw_file_list(raw: Mapping[str, Path]) -> Iterator[RawFile]:
    """Yield every file in the order of names; those of a folder or an archive are called <name>/<path inside>."""
    for name, path in sorted(raw.items()):
        if path.is_dir():
            for inner in _files_below(path):
                yield from _opened(f"{name}/{inner.relative_to(path).as_posix()}", inner)
        elif ARCHIVES.search(path.name):
            stem = ARCHIVES.sub("", name)
            with (zip_members if path.suffix == ".zip" else members_of)(path) as members:
                for member in members:
                    if not LITTER.search(member.name):
                        yield RawFile(f"{stem}/{member.name}", path, member.data, packed=True)
        else:
            yield from _opened(name, path)


def _files_below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if LITTER.search(path.relative_to(folder).as_posix()):
            continue
        if text_fault(path.name):
            raise CorpusError(f"{str(path)!a}: the name of the file or folder is not UTF-8. Rename it.")
        if path.is_symlink():
            raise CorpusError(f"{path}: links in a folder of raw files are not followed. Put the file itself there.")
        if path.is_file():
            yield path


def _opened(name: str, path: Path) -> Iterator[RawFile]:
    with opened(name, path) as file:
        yield file


@contextmanager
def opened(name: str, path: Path) -> Iterator[RawFile]:
    """Open one file of this machine, unpacked if its name ends in .gz."""
    if path.suffix == ".gz":
        with gunzipped(path) as data:
            yield RawFile(name, path, data, packed=True)
        return
    try:
        with path.open("rb") as file:
            yield RawFile(name, path, file, packed=False)
    except OSError as error:
        raise unreadable(path, error) from error


@dataclass(frozen=True)
class Place:
    """The split that a raw file belongs to, and its name within the split (empty when it is the whole of it)."""

    split: str
    part: str


def usual_place(name: str) -> Place:
    """Return the split that a file's name starts with: train.json, valid-1.csv, test/tasks/a.json."""
    found = _NAMED.match(name)
    if found is None:
        raise CorpusError(
            f"raw file {name!r} names no split. Begin the name, left of the path in the dataset's source, with train, "
            "valid or test, such as train.json or train-1.json."
        )
    return Place(SPLIT_NAMES[found.group(1)], without_suffix(name[found.end() :].strip("-_./")))


def without_suffix(name: str) -> str:
    """Return a name without the endings that tell what kind of file it is."""
    return re.sub(r"(?:^|\.)(?:json|jsonl|ndjson|csv|tsv|txt|parquet|yaml|gz)(?=\.|$)", "", name)
