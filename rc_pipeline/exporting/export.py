"""Instruction sets written out as files for other tools, with a page that tells where they came from."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.exporting.folder import PROVENANCE, new_folder
from rc_pipeline.exporting.layouts import LAYOUTS, WITHOUT, Layout
from rc_pipeline.lake.hashing import sha256_file
from rc_pipeline.lake.store import Artifact

if TYPE_CHECKING:
    import duckdb

MEMORY = "2GB"
ROWS_AT_ONCE = 2048
NO_ANSWER = "no_answer"
SAYS_SOMETHING = {
    "system": "SELECT bool_or(coalesce(trim(system), '') <> '') FROM chosen",
    "history": "SELECT bool_or(coalesce(len(history), 0) > 0) FROM chosen",
}


@dataclass(frozen=True)
class Source:
    """The instructions to export: the Parquet file of each split, and the artifact that they are of."""

    dataset: str
    files: Mapping[str, Path]
    key: str
    fingerprint: str
    content: str

    @classmethod
    def of(cls, artifact: Artifact, dataset: str) -> Source:
        """Return the instructions of an artifact."""
        page = artifact.manifest
        names = page.results().tables["instructions"]
        files = {name.removesuffix(".parquet"): artifact.folder / name for name in names}
        return cls(dataset, files, page.key, page.fingerprint, page.content)


@dataclass(frozen=True)
class Wanted:
    """What to write: the form, the splits (none named: all), at most so many rows of each, one template's alone."""

    form: str
    splits: Sequence[str] = ()
    rows: int | None = None
    template: str | None = None


@dataclass(frozen=True)
class SplitExport:
    """What was written of one split, and what was not."""

    split: str
    rows: int
    templates: dict[str, int]
    left_out: dict[str, int]
    used: tuple[str, ...] = ()
    file: str = ""


def export_instructions(source: Source, wanted: Wanted, out: Path, *, force: bool = False) -> list[SplitExport]:
    """Write the rows that are wanted into `out`; a limit takes the rows that training would take."""
    for split in wanted.splits:
        if split not in source.files:
            raise ValueError(f"{source.dataset}/{split}: no such split; {source.key} has {', '.join(source.files)}")
    with new_folder(out, force=force) as folder:
        work = folder / ".work"
        work.mkdir()
        with _connection(work) as connection, _damage_named(source):
            written = [
                _write_split(connection, source, wanted, split, folder) for split in wanted.splits or source.files
            ]
        _refuse_empty(source, written, wanted.template)
        full = [one for one in written if one.rows]
        if wanted.form == "datasets":
            _save_datasets(folder, full)
        _write_reading(source, wanted.form, folder, full)
        shutil.rmtree(work)
        _write_json(folder / PROVENANCE, _provenance(source, wanted, written, folder))
    return written


def _connection(work: Path) -> duckdb.DuckDBPyConnection:
    import duckdb

    # What does not fit into memory goes to the disk, beside the files that are being written.
    # One thread streams; several hold whole row groups, in order to write the rows in theirs.
    connection = duckdb.connect(":memory:", config={"memory_limit": MEMORY, "temp_directory": str(work), "threads": 1})
    connection.execute("SET enable_progress_bar = false")
    return connection


def _write_arrow(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    import pyarrow as pa

    reader = connection.view("shown").to_arrow_reader(ROWS_AT_ONCE)
    with pa.ipc.new_stream(file, reader.schema) as stream:
        for batch in reader:
            stream.write_batch(batch)


@contextmanager
def _damage_named(source: Source) -> Iterator[None]:
    import duckdb
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowInvalid, duckdb.InvalidInputException) as error:
        files = ", ".join(str(path) for path in source.files.values())
        raise ValueError(
            f"{files}: cannot be read ({error}); `rc-pipeline verify --discard`, then build {source.key} again"
        ) from error


def _write_split(
    connection: duckdb.DuckDBPyConnection, source: Source, wanted: Wanted, split: str, folder: Path
) -> SplitExport:
    layout = LAYOUTS[wanted.form]
    _choose(connection, source.files[split], layout, wanted)
    counted = connection.execute("SELECT template, count(*) FROM chosen GROUP BY template ORDER BY template").fetchall()
    templates = {str(name): int(count) for name, count in counted}
    without = int(_one(connection, "SELECT count(*) FROM asked WHERE output IS NULL")) if layout.needs_output else 0
    left_out = {NO_ANSWER: without} if without else {}
    if not templates:
        return SplitExport(split, 0, {}, left_out)
    used = tuple(name for name in layout.optional if _one(connection, SAYS_SOMETHING[name]))
    name = f"{split}{layout.suffix}"
    target = (folder / ".work" if wanted.form == "datasets" else folder) / name
    connection.view("chosen").project(layout.projection(used)).create_view("shown", replace=True)
    if layout.copy:
        connection.execute(layout.copy, {"file": str(target)})
    else:
        _write_arrow(connection, target)
    return SplitExport(split, sum(templates.values()), templates, left_out, used, name)


def _choose(connection: duckdb.DuckDBPyConnection, file: Path, layout: Layout, wanted: Wanted) -> None:
    """Make the views `asked`, the rows of the template that is asked for, and `chosen`, those to write."""
    import duckdb
    import pyarrow.parquet as pq

    there = set(pq.read_schema(file).names)
    absent = [f"{sql} AS {name}" for name, sql in WITHOUT.items() if name not in there and layout.needs_output]
    asked = connection.read_parquet(str(file)).project(", ".join(["*", *absent]))
    if wanted.template is not None:
        asked = asked.filter(duckdb.ColumnExpression("template") == duckdb.ConstantExpression(wanted.template))
    asked.create_view("asked", replace=True)
    chosen = asked.filter("output IS NOT NULL") if layout.needs_output else asked
    if wanted.rows is not None:
        order, name = duckdb.ColumnExpression("order"), duckdb.ColumnExpression("instruction_id")
        last = chosen.project(order, name).order('"order", instruction_id').limit(1, offset=wanted.rows - 1).fetchall()
        if last:
            until, until_name = map(duckdb.ConstantExpression, last[0])
            chosen = chosen.filter((order < until) | ((order == until) & (name <= until_name)))
    chosen.create_view("chosen", replace=True)


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    return connection.execute(query).fetchall()[0][0]


def _refuse_empty(source: Source, written: Sequence[SplitExport], template: str | None) -> None:
    if any(one.rows for one in written):
        return
    without = sum(one.left_out.get(NO_ANSWER, 0) for one in written)
    if without:
        raise ValueError(
            f"{source.key}: none of {without} rows has an answer, which this format needs; use parquet or datasets"
        )
    what = "are no rows" if template is None else f"is no row of template {template}"
    raise ValueError(f"{source.key}: there {what} in {', '.join(one.split for one in written)}")


def _write_reading(source: Source, form: str, folder: Path, written: Sequence[SplitExport]) -> None:
    """Tell LLaMA-Factory how to read the files."""
    layout = LAYOUTS[form]
    if layout.reading:
        entries = {f"{source.dataset}_{one.split}": layout.entry(one.file, one.used) for one in written}
        _write_json(folder / "dataset_info.json", entries)


def _save_datasets(folder: Path, written: Sequence[SplitExport]) -> None:
    """Turn the Arrow streams of `.work` into what `datasets.load_from_disk` opens, from disk to disk."""
    import datasets

    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        splits = {
            # The library's split names are made of letters, digits and _.
            re.sub(r"\W", "_", one.split): datasets.Dataset.from_file(str(folder / ".work" / one.file))
            for one in written
        }
        datasets.DatasetDict(splits).save_to_disk(str(folder))
    finally:
        if shown:
            datasets.enable_progress_bars()


def _provenance(source: Source, wanted: Wanted, written: Sequence[SplitExport], folder: Path) -> dict[str, Any]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        "dataset": source.dataset,
        "artifact": source.key,
        "fingerprint": source.fingerprint,
        "content": source.content,
        "format": wanted.form,
        "only": {"splits": list(wanted.splits), "rows_of_each_split": wanted.rows, "template": wanted.template},
        "rows": sum(one.rows for one in written),
        "splits": {
            one.split: {"rows": one.rows, "templates": one.templates, "left_out": one.left_out} for one in written
        },
        "files": {path.relative_to(folder).as_posix(): sha256_file(path) for path in paths},
    }


def _write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
