"""`rc-pipeline rehearse`: a whole study in minutes on the CPU, before GPU hours are spent on it."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rc_pipeline.catalog.problems import nearest
from rc_pipeline.checkup.findings import Finding
from rc_pipeline.commands.ahead import ahead
from rc_pipeline.commands.entry import open_lake, reported
from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.locks import held
from rc_pipeline.lake.planner import Cached, Planner
from rc_pipeline.lineage import Lineage, load_lineage

if TYPE_CHECKING:
    from rc_pipeline.catalog import Catalog
    from rc_pipeline.rehearsing.datasets import Data
    from rc_pipeline.rehearsing.models import StandIn
    from rc_pipeline.rehearsing.process import Process

# What is worth having again the next time; no study can be called so.
KNOWN, BEGINNINGS = "_known", "_beginnings"
MARKS = {"ok": "ok", "warning": "WARNING", "problem": "PROBLEM"}


@click.command()
@click.argument("study")
@click.option("--rows", type=click.IntRange(4, 5000), default=24, show_default=True,
              help="Rows to train on, of each dataset; half as many questions of each evaluation set.")  # fmt: skip
@click.option("--keep", is_flag=True, help="Keep the rehearsal's own lake, to look at what was built.")
@reported
def rehearse(study: str, rows: int, keep: bool) -> None:
    """Go through STUDY on the CPU: tiny random models, few rows, every stage and check real.

    Nothing of your lake is changed; its inbox is read. Ends with what would keep the real run from its end, with
    what to do, and with exit code 1 if there is such a thing.
    """
    lineage, lake = open_lake()
    if study not in lineage.catalog.studies:
        raise ValueError(f"{study}: no such study; {nearest(study, lineage.catalog.studies)}")
    started = time.perf_counter()
    with _stage(lake.root / "rehearsal", study, keep=keep) as folder:
        found = _rehearsed(lineage, lake, study, rows, folder)
    states = [one.state for one in found]
    for one in sorted(found, key=lambda one: one.state != "problem"):
        _show(one)
    problems, warnings = states.count("problem"), states.count("warning")
    click.echo(f"{study}: {problems} problems, {warnings} warnings; {time.perf_counter() - started:.0f} s")
    if not problems:
        click.echo(f"next:\n  rc-pipeline plan {study}\n  dagster job execute -m rc_pipeline.definitions -j "
                   + study.replace("-", "_"))  # fmt: skip
    sys.exit(1 if problems else 0)


def _show(one: Finding) -> None:
    click.echo(f"{MARKS[one.state]:8} {one.subject}  {one.says}")
    if one.remedy:
        click.echo(f"{'':8} → {one.remedy}")


@contextmanager
def _stage(rehearsals: Path, study: str, *, keep: bool) -> Iterator[Path]:
    """Give an empty folder of this study's own, on the disk of the real lake."""
    folder = rehearsals / study
    with held(rehearsals / f"{study}.lock", lambda: click.echo("this study is being rehearsed already; waiting")):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            if keep:
                click.echo(f"kept: {folder}")
            else:
                shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _StandIns:
    """What a rehearsal reads and loads in place of the study's datasets and models."""

    data: dict[str, Data]
    models: dict[str, StandIn]

    def configs(self) -> dict[str, Path | None]:
        """Return where the models that are replaced have their config.json."""
        return {name: model.real for name, model in self.models.items() if model.tiny is not None}

    def in_words(self) -> Iterator[str]:
        """Yield a line for each."""
        for name, data in self.data.items():
            yield f"data    {name:20} {data.says or 'as it is, fewer rows'}"
        for name, model in self.models.items():
            how = "as it is"
            if model.tiny is not None:
                whose = "its own" if model.own_tokenizer else "another"
                how = f"random, {model.tiny.weights / 1e6:.1f} million weights; {whose} tokenizer"
            yield f"model   {name:20} {how}"


def _rehearsed(lineage: Lineage, lake: Lake, study: str, rows: int, folder: Path) -> list[Finding]:
    from rc_pipeline.rehearsing import findings
    from rc_pipeline.rehearsing.process import Process
    from rc_pipeline.rehearsing.real_run import disk
    from rc_pipeline.rehearsing.running import rehearse_all

    planner, keys = lake.planner(), lineage.study(study)
    with Process() as process:
        parts = _stand_ins(lineage.catalog, planner, study, folder, process)
        for line in parts.in_words():
            click.echo(line)
        small = _small_lineage(lineage.catalog, study, rows, folder, parts)
        where = {"catalog": str(folder / "catalog"), "lake": str(folder / "lake")}
        done = rehearse_all(
            small.study(study), small.graph,
            lambda key: process.ask("build", key=key, **where),
            lambda state, key, seconds: click.echo(f"{state:7} {key}  {seconds:.1f} s"),
        )  # fmt: skip
    for key in keys:
        if key.startswith("adapters/") and not isinstance(planner.state(key), Cached):
            real = parts.configs().get(lineage.catalog.runs[key.partition("/")[2]].model)
            words = ahead(lineage.graph[key], planner, real and real / "config.json").in_words()
            click.echo(f"ahead   {key}  {words}")
    stood_in = {name for name, model in parts.models.items() if not model.own_tokenizer}
    return [
        *(data.finding for data in parts.data.values() if data.finding is not None),
        *(finding for model in parts.models.values() for finding in model.findings),
        *findings.errors(done, small.graph, small.catalog, stood_in),
        *findings.unfit(done, small.catalog, stood_in),
        *findings.quarantined(done, small.graph),
        *findings.failed_checks(done, small.graph, {name for name, data in parts.data.items() if not data.real}),
        disk(planner, keys, lake.root, parts.configs()),
    ]


def _small_lineage(catalog: Catalog, study: str, rows: int, folder: Path, parts: _StandIns) -> Lineage:
    from rc_pipeline.rehearsing.derived import write_catalog

    write_catalog(
        catalog, study, folder / "catalog", rows=rows,
        datasets={name: data.changes for name, data in parts.data.items()},
        models={name: model.changes for name, model in parts.models.items()},
    )  # fmt: skip
    return load_lineage(folder / "catalog", folder / "lake")


def _stand_ins(catalog: Catalog, planner: Planner, study: str, folder: Path, process: Process) -> _StandIns:
    from rc_pipeline.rehearsing.cutting import cut
    from rc_pipeline.rehearsing.datasets import data_of
    from rc_pipeline.rehearsing.derived import used
    from rc_pipeline.rehearsing.models import stand_in
    from rc_pipeline.rehearsing.tiny import Tiny

    def shorten(path: Path, fmt: str) -> Path:
        return cut(path, fmt, folder.parent / BEGINNINGS, click.echo)

    def write_tiny(out: Path, family: str, real: Path | None, context_tokens: int) -> Tiny:
        real_folder = None if real is None else str(real)
        told = {"out": str(out), "family": family, "real": real_folder, "context_tokens": context_tokens}
        return Tiny(**process.ask("tiny", **told))

    datasets, models = used(catalog, study)
    known = folder.parent / KNOWN
    return _StandIns(
        {name: data_of(catalog, name, planner, folder / "data", shorten) for name in datasets},
        {name: stand_in(catalog, name, planner, folder / "models", known, write_tiny) for name in models},
    )
