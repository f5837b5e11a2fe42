"""`rc-pipeline rehearse`: a whole study in minutes on the CPU, before GPU hours are spent on it."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from rc_pipeline.catalog.problems import nearest
from rc_pipeline.checkup.findings import Finding
from rc_pipeline.commands.ahead import ahead
from rc_pipeline.commands.entry import open_lake, reported
from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.locks import held
from rc_pipeline.lake.planner import Cached
from rc_pipeline.lineage import Lineage, load_lineage

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


def _rehearsed(lineage: Lineage, lake: Lake, study: str, rows: int, folder: Path) -> list[Finding]:
    from rc_pipeline.rehearsing import findings
    from rc_pipeline.rehearsing.cutting import cut
    from rc_pipeline.rehearsing.datasets import data_of
    from rc_pipeline.rehearsing.derived import used, write_catalog
    from rc_pipeline.rehearsing.models import stand_in
    from rc_pipeline.rehearsing.real_run import disk
    from rc_pipeline.rehearsing.running import rehearse_all

    catalog, planner = lineage.catalog, lake.planner()
    datasets, models = used(catalog, study)
    made, kept = folder / "made", folder.parent

    def shorten(path: Path, fmt: str) -> Path:
        return cut(path, fmt, kept / BEGINNINGS, click.echo)

    inputs = {name: data_of(catalog, name, planner, made / "data", shorten) for name in datasets}
    tiny = {name: stand_in(catalog, name, planner, made / "models", kept / KNOWN) for name in models}
    for name, data in inputs.items():
        click.echo(f"data    {name:20} {data.says or 'as it is, fewer rows'}")
    for name, model in tiny.items():
        how = "as it is" if model.tiny is None else (
            f"random, {model.tiny.weights / 1e6:.1f} million weights; "
            f"{'its own' if model.tiny.own_tokenizer else 'another'} tokenizer"
        )  # fmt: skip
        click.echo(f"model   {name:20} {how}")
    write_catalog(
        catalog, study, folder / "catalog", rows=rows,
        datasets={name: data.changes for name, data in inputs.items()},
        models={name: model.changes for name, model in tiny.items()},
    )  # fmt: skip
    small = load_lineage(folder / "catalog", folder / "lake")
    with _apart():
        from rc_pipeline.definitions import STAGES

        done = rehearse_all(
            Lake(folder / "lake", small.graph), small.study(study), STAGES,
            lambda state, key, seconds: click.echo(f"{state:7} {key}  {seconds:.1f} s"),
        )  # fmt: skip
    stood_in = {name for name, model in tiny.items() if not model.own_tokenizer}
    unreal = {name for name, data in inputs.items() if not data.real}
    for key in lineage.study(study):
        if key.startswith("adapters/") and not isinstance(planner.state(key), Cached):
            real = tiny[catalog.runs[key.partition("/")[2]].model].real
            config = None if real is None else real / "config.json"
            click.echo(f"ahead   {key}  {ahead(lineage.graph[key], planner, config).in_words()}")
    return [
        *(data.finding for data in inputs.values() if data.finding is not None),
        *(finding for model in tiny.values() for finding in model.findings),
        *findings.errors(done, small.graph, small.catalog, stood_in),
        *findings.unfit(done, small.catalog, stood_in),
        *findings.quarantined(done, small.graph),
        *findings.failed_checks(done, small.graph, unreal),
        disk(
            planner,
            lineage.study(study),
            lake.root,
            {name: model.real for name, model in tiny.items() if model.tiny is not None},
        ),
    ]


@contextmanager
def _apart() -> Iterator[None]:
    """Keep the work of a rehearsal on the CPU, off the network, and out of the user's records."""
    before = dict(os.environ)
    # One thread is faster than several for models as small as these.
    os.environ |= {
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    # It warns of a faster product in 4 bits that it does not find.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before
