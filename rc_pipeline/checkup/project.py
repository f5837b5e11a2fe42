"""The project: the lake's disk, Dagster's home, the catalog, and the files that studies wait for."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from rc_pipeline.catalog import Catalog, CatalogError
from rc_pipeline.catalog.models import HubSource
from rc_pipeline.checkup.findings import Finding, absent, ok, problem, warning
from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.durable import write_atomically
from rc_pipeline.lake.planner import missing_files
from rc_pipeline.lineage import Lineage, load_lineage

# The demo takes about a fifth of this; a model of seven billion weights with its merged copy some thirty times as much.
SMALL_DISK = 2 * 2**30


def project(folder: Path) -> Iterator[Finding]:
    """Yield what is found of the lake and the catalog."""
    yield from _disk(folder)
    yield _dagster_home()
    try:
        lineage = load_lineage(lake=folder)
    except CatalogError as error:
        yield problem("catalog", str(error), "correct these files; nothing can run before")
        return
    catalog = lineage.catalog
    yield ok(
        "catalog", f"{len(catalog.datasets)} datasets, {len(catalog.models)} models, {len(catalog.studies)} studies"
    )
    yield from _inputs(lineage)
    yield from _token(catalog)
    yield _warehouse(folder, lineage)


def _disk(folder: Path) -> Iterator[Finding]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder, prefix=".checkup-") as scratch:
            _try_the_file_system(Path(scratch))
    except OSError as error:
        remedy = "the lake needs a disk of this machine with renames, links and locks; set RC_LAKE to a folder on one"
        yield problem("lake", f"{folder}: {error.strerror or error}", remedy)
        return
    yield ok("lake", str(folder))
    free = shutil.disk_usage(folder).free
    says = f"{free / 2**30:.1f} GiB free"
    if free < SMALL_DISK:
        yield warning("disk", says, "rc-pipeline gc deletes what no study needs; or set RC_LAKE to a larger disk")
    else:
        yield ok("disk", says)


def _try_the_file_system(folder: Path) -> None:
    """Do what builds do: write, rename a folder, link, lock."""
    (folder / "a").mkdir()
    write_atomically(folder / "a" / "file", b"1")
    (folder / "a").rename(folder / "b")
    (folder / "link").symlink_to("b")
    if (folder / "link" / "file").read_bytes() != b"1":
        raise OSError("a link does not lead where it should")
    with (folder / "lock").open("w") as first, (folder / "lock").open("w") as second:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
    raise OSError("locks are ignored, so two runs would write at once")


def _dagster_home() -> Finding:
    home = os.environ.get("DAGSTER_HOME")
    if not home:
        remedy = "make sets it; for dagster itself: export DAGSTER_HOME=${RC_LAKE:-$PWD/data_lake}/dagster_home"
        return warning("dagster", "DAGSTER_HOME is not set", remedy)
    if not Path(home).is_absolute() or not Path(home).is_dir():
        return problem("dagster", f"DAGSTER_HOME={home} is no absolute path of a folder", "make it, or set it anew")
    return ok("dagster", home)


def _inputs(lineage: Lineage) -> Iterator[Finding]:
    """Yield which studies have all their files, and for what is missing where it goes and comes from."""
    # What is made of a file reads it as well; people need to hear of it once.
    waiting: dict[str, list[str]] = {}
    for study in lineage.catalog.studies:
        keys = [key for key in lineage.study(study) if key.startswith(("raw/", "base_models/"))]
        lacking = [key for key in keys if missing_files(lineage.graph[key])]
        for key in lacking:
            waiting.setdefault(key, []).append(study)
        if not lacking:
            yield ok(f"study {study}", "all its files are there")
    for key, studies in waiting.items():
        node = lineage.graph[key]
        gone = missing_files(node)
        more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
        source = f", from {node.about['homepage']}" if node.about.get("homepage") else ""
        yield absent(key, f"not there: {gone[0]}{more}", f"for {', '.join(studies)}: put it there{source}")


def _token(catalog: Catalog) -> Iterator[Finding]:
    from_hub = sorted(name for name, card in catalog.models.items() if isinstance(card.source, HubSource))
    if from_hub and not os.environ.get("HF_TOKEN"):
        says = f"HF_TOKEN is not set; {', '.join(from_hub)} come from the hub"
        yield warning("hub", says, "only a gated model needs it: export HF_TOKEN with a token that may read it")
    elif from_hub:
        yield ok("hub", "HF_TOKEN is set")


def _warehouse(folder: Path, lineage: Lineage) -> Finding:
    import duckdb

    try:
        with Lake(folder, lineage.graph).warehouse.connect() as connection:
            views = connection.execute("SELECT count(*) FROM duckdb_views() WHERE NOT internal").fetchall()[0][0]
    except (duckdb.Error, OSError) as error:
        return problem("warehouse", str(error), f"delete {folder / 'rc.duckdb'}; the next command writes it anew")
    return ok("warehouse", f"{views} views")
