"""Raw files: made up, downloaded or found on this machine, and in every case known by their bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rc_pipeline.corpora.downloads import LOG, download
from rc_pipeline.corpora.hub import write_hub
from rc_pipeline.corpora.identity import write_identity
from rc_pipeline.corpora.readers import CorpusError, unreadable
from rc_pipeline.corpora.transfers import Say
from rc_pipeline.lake.hashing import sha256_file
from rc_pipeline.lake.outcome import JSON, Outcome

PATHS_FILE = "_paths.json"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def write_raw(  # noqa: PLR0913 - by name, all of them
    *,
    source: Mapping[str, Any],
    fmt: str,
    files: Mapping[str, Path],
    out: Path,
    scratch: Path,
    say: Say = LOG.info,
    digest: Callable[[Path], str] = sha256_file,
) -> Outcome:
    """Bring the raw files of a dataset into `out`, or note which files of this machine they are.

    What a failed try leaves in `scratch` is gone on with by the next one of the same source.
    """
    out.mkdir(parents=True, exist_ok=True)
    metadata: dict[str, JSON] = {}
    if "sample" in source:
        _write_sample(source["sample"], fmt, out / "files")
    elif "download" in source:
        _download(source["download"], scratch, say).replace(out / "files")
    elif "identity" in source:
        write_identity(source, out / "files")
    elif "hub" in source:
        rows = write_hub(hub=source["hub"], folder=out / "files", scratch=scratch, say=say)
        metadata |= {f"rows of {split}": count for split, count in rows.items()}
    else:
        _note_files(files, out, digest)
    sizes = {name: _bytes(path) for name, path in raw_files(out).items()}
    metadata |= {"files": len(sizes), "bytes": sum(sizes.values())}
    return Outcome(metadata=metadata | {f"bytes of {name}": size for name, size in sizes.items()})


def raw_files(folder: Path) -> dict[str, Path]:
    """Return the raw files of an artifact that `write_raw` made, by name."""
    noted = folder / PATHS_FILE
    if noted.is_file():
        paths: dict[str, str] = json.loads(noted.read_text(encoding="utf-8"))
        return {name: Path(path) for name, path in sorted(paths.items())}
    return {path.name: path for path in sorted((folder / "files").iterdir())}


def _bytes(path: Path) -> int:
    """Return the size of a file, or of all files below a folder."""
    return sum(one.stat().st_size for one in (path.rglob("*") if path.is_dir() else [path]) if one.is_file())


def _download(wanted: Mapping[str, Any], scratch: Path, say: Say) -> Path:
    """Return the folder of the files once all of them are there; those that an earlier try brought are kept."""
    for name in wanted:
        if not _FILE_NAME.fullmatch(name):
            raise CorpusError(f"download: {name!r} is no plain file name. Use letters, digits, dots, - and _.")
    folder = scratch / "files"
    for name in sorted(wanted):
        path, url, sha256 = folder / name, str(wanted[name]["url"]), str(wanted[name]["sha256"])
        # A file has its name only after its checksum was right.
        if not path.is_file():
            download(url=url, sha256=sha256, path=path, scratch=scratch, say=say)
    return folder


def _write_sample(sample: Mapping[str, int], fmt: str, folder: Path) -> None:
    from rc_pipeline.corpora import sample_world

    seed, train, valid, test = (int(sample[key]) for key in ("seed", "train", "valid", "test"))
    if fmt == "cosmos_qa":
        sample_world.write_cosmos(folder, seed=seed, train=train, valid=valid, test=test)
    elif fmt == "trivia_qa":
        sample_world.write_trivia(folder, seed=seed, train=train, dev=valid, test=test)
    else:
        raise CorpusError(f"source.sample: there is no sample of format {fmt!r}. Use cosmos_qa or trivia_qa.")


def _note_files(files: Mapping[str, Path], out: Path, digest: Callable[[Path], str]) -> None:
    noted = {}
    for name, path in sorted(files.items()):
        try:
            noted[name] = digest(path)
        except OSError as error:
            raise unreadable(path, error) from error
    (out / "sources.json").write_text(json.dumps(noted, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    paths = {name: str(path.absolute()) for name, path in sorted(files.items())}
    (out / PATHS_FILE).write_text(json.dumps(paths, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
