"""The raw files that a rehearsal reads: the user's own where they are there, rows made up in their format elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rc_pipeline.catalog import Catalog
from rc_pipeline.catalog.sources import FilesSource, IdentitySource, SampleSource
from rc_pipeline.checkup.findings import Finding, problem, warning
from rc_pipeline.corpora.sources import raw_files
from rc_pipeline.lake.planner import Cached, Planner, missing_files
from rc_pipeline.rehearsing.made_up import made_up_source

# A raw file of a format, or one with its beginning.
Shorten = Callable[[Path, str], Path]
SAMPLE = {"train": 120, "valid": 40, "test": 8}


@dataclass(frozen=True)
class Data:
    """What a rehearsal reads in place of a dataset: changes to its file, and what is missing."""

    changes: dict[str, Any]
    real: bool = True
    says: str = ""
    finding: Finding | None = None


def data_of(catalog: Catalog, name: str, planner: Planner, folder: Path, shorten: Shorten) -> Data:
    """Return what stands in for a dataset; `folder` takes rows that are made up, `shorten` cuts what is too large."""
    dataset, file, raw = catalog.datasets[name], catalog.origin("datasets", name), f"raw/{name}"
    source = dataset.source
    if isinstance(source, SampleSource):
        told = source.sample.model_dump()
        return Data({"source": {"sample": told | {key: min(told[key], most) for key, most in SAMPLE.items()}}})
    if isinstance(source, IdentitySource):
        return Data({})
    if isinstance(source, FilesSource):
        missing = missing_files(planner.graph[raw])
        files = dict(planner.graph[raw].files)
        if missing:
            from_where = f", from {dataset.homepage}" if dataset.homepage else ""
            says = f"source.files: not there: {', '.join(missing)}"
            lacking = problem(file, says, f"put {'it' if len(missing) == 1 else 'them'} there{from_where}")
            return _made_up(catalog, name, folder, lacking)
    else:
        state = planner.state(raw)
        if not isinstance(state, Cached):
            kind = "source.download" if hasattr(source, "download") else "source.hub"
            lacking = warning(
                file, f"{kind}: nothing is fetched in a rehearsal", f"make build KEY={raw} fetches it first"
            )
            return _made_up(catalog, name, folder, lacking)
        files = raw_files(state.artifact.folder)
    read = {each: shorten(path, dataset.format) for each, path in files.items()}
    whole = all(read[each] == path for each, path in files.items())
    changes: dict[str, Any] = {"source": {"files": {each: str(path.absolute()) for each, path in read.items()}}}
    return Data(changes if whole else changes | {"expected_rows": {}}, says="" if whole else "its beginning")


def _made_up(catalog: Catalog, name: str, folder: Path, lacking: Finding) -> Data:
    changes = {"source": made_up_source(catalog.datasets[name], folder / name), "expected_rows": {}}
    return Data(changes, real=False, says="made-up rows of its format", finding=lacking)
