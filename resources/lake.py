"""The lake as a Dagster resource: opened once a run, after a look at what the run is going to need."""

from __future__ import annotations

import dagster as dg

from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.planner import Cached, Plan, require_files


def lake_resource(lake: Lake, jobs: dict[str, list[str]]) -> dg.ResourceDefinition:
    """Return the resource; a run that lacks input files fails here, before anything is built."""

    @dg.resource(description="The content-addressed store, and the plan of what has to be built.")
    def open_lake(context: dg.InitResourceContext) -> Lake:
        keys = _selected(context, jobs)
        plan = lake.planner().plan(keys)
        require_files(lake.graph[key] for key in keys if not isinstance(plan.states[key], Cached))
        if context.log is not None:
            context.log.info(_in_words(plan))
        return lake

    return open_lake


def _selected(context: dg.InitResourceContext, jobs: dict[str, list[str]]) -> list[str]:
    run = context.run
    if run is not None and run.asset_selection:
        return sorted(key.to_user_string() for key in run.asset_selection)
    return jobs.get(run.job_name, []) if run is not None else []


def _in_words(plan: Plan) -> str:
    counts = {name: len(keys) for name, keys in plan.to_json().items()}
    unknown = f", {counts['unknown']} to be decided on the way" if counts["unknown"] else ""
    return f"plan: {counts['build']} to build{unknown}, {counts['cached']} stand"
