"""`rc-pipeline plan`: what would be built, why, and what that takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from difflib import get_close_matches
from typing import Any

import click

from rc_pipeline.commands.ahead import Ahead, ahead
from rc_pipeline.commands.entry import open_lake, reported
from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.planner import Cached, Plan, ToBuild, Unknown
from rc_pipeline.lineage import Lineage

WAITED_FOR_SHOWN = 3


@click.command()
@click.argument("study", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@reported
def plan(study: str | None, as_json: bool) -> None:
    """Show what a run of STUDY (all studies by default) would build, why, and what its trainings take."""
    lineage, lake = open_lake()
    planner = lake.planner()
    found = planner.plan(_keys(lineage, study))
    trainings = {
        key: ahead(lake.graph[key], planner)
        for key, state in found.states.items()
        if isinstance(state, ToBuild) and key.startswith("adapters/")
    }
    if as_json:
        click.echo(json.dumps(_as_json(found, trainings), indent=1, ensure_ascii=False))
        return
    for line in _in_words(lake, found, trainings):
        click.echo(line)


def _as_json(found: Plan, trainings: Mapping[str, Ahead]) -> dict[str, Any]:
    whole = found.to_json()
    for entry in whole["build"]:
        if entry["key"] in trainings:
            entry["training"] = asdict(trainings[entry["key"]])
    return whole


def _in_words(lake: Lake, found: Plan, trainings: Mapping[str, Ahead]) -> list[str]:
    width = max((len(key) for key in found.states), default=0)
    lines, took = [], {ToBuild: 0.0, Unknown: 0.0, Cached: 0.0}
    for key, state in found.states.items():
        head = lake.store.head(key)
        last = f"  (last time {head.manifest.seconds:.0f} s)" if head is not None else ""
        took[type(state)] += head.manifest.seconds if head is not None else 0.0
        match state:
            case ToBuild():
                lines.append(f"build    {key:{width}}  {state.reason}{last}")
                if key in trainings:
                    lines.append(f"{'':9}{'':{width}}  {trainings[key].in_words()}")
            case Unknown():
                lines.append(f"unknown  {key:{width}}  waits for {_first(state.waits_for)}{last}")
            case Cached():
                refused = state.artifact.manifest.refused_by()
                note = f"but failed its check {', '.join(refused)}" if refused else _rows(state)
                lines.append(f"{'refused' if refused else 'stands':8} {key:{width}}  {note}")
    counts = {name: len(keys) for name, keys in found.to_json().items()}
    lines.append(
        f"{counts['build']} to build{_last_time(took[ToBuild])}, "
        f"{counts['unknown']} unknown{_last_time(took[Unknown])}, {counts['cached']} stand"
    )
    return [line.rstrip() for line in lines]


def _first(keys: tuple[str, ...]) -> str:
    shown = keys if len(keys) <= WAITED_FOR_SHOWN else keys[: WAITED_FOR_SHOWN - 1]
    more = len(keys) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _last_time(seconds: float) -> str:
    return f" ({seconds:.0f} s last time)" if seconds else ""


def _rows(state: Cached) -> str:
    metadata = state.artifact.manifest.results().metadata
    rows = metadata.get("rows")
    return f"{rows} rows" if isinstance(rows, int) else ""


def _keys(lineage: Lineage, study: str | None) -> list[str]:
    if study is None:
        return list(lineage.graph.nodes)
    studies = list(lineage.catalog.studies)
    if study not in studies:
        close = get_close_matches(study, studies, n=1)
        raise ValueError(f"{study}: no such study; {f'did you mean {close[0]}?' if close else ', '.join(studies)}")
    return lineage.study(study)
