"""The lake as a Dagster resource: opened once a run, after a look at what the run is going to need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import dagster as dg

from rc_pipeline.lake.build import Build, Lake
from rc_pipeline.lake.planner import Cached, MissingInput, Plan, require_files
from rc_pipeline.lake.store import Artifact


class OpenedLake:
    """The lake as one run sees it; when the run lacks input files, it builds nothing at all."""

    def __init__(self, lake: Lake, keys: list[str]) -> None:
        self.lake = lake
        self._keys = keys
        self._looked = False
        self._refused = False

    def obtain(self, key: str, build: Build, say: Callable[[str], None]) -> Artifact:
        """Return an artifact, found or built; what a run lacks is said once, at its first asset."""
        if not self._looked:
            self._look_ahead(say)
        if self._refused:
            raise MissingInput("not started, for the reason given above")
        return self.lake.obtain(key, build, say)

    def close(self, say: Callable[[str], None]) -> None:
        """Show what the run ended with, the last of which its builds may have left out."""
        if self._looked and not self._refused:
            self.lake.show(say)

    def _look_ahead(self, say: Callable[[str], None]) -> None:
        self._looked = True
        plan = self.lake.planner().plan(self._keys)
        say(_in_words(plan))
        to_build = [self.lake.graph[key] for key in self._keys if not isinstance(plan.states[key], Cached)]
        self._refused = True
        require_files(to_build)
        self._refused = False


def lake_resource(lake: Lake, jobs: Mapping[str, list[str]]) -> dg.ResourceDefinition:
    """Return the resource that assets obtain their artifacts from."""

    @dg.resource(description="The content-addressed store, and the plan of what has to be built.")
    def open_lake(context: dg.InitResourceContext) -> Iterator[OpenedLake]:
        opened = OpenedLake(lake, _selected(context, jobs))
        try:
            yield opened
        finally:
            opened.close(context.log.info if context.log else lambda _: None)

    return open_lake


def _selected(context: dg.InitResourceContext, jobs: Mapping[str, list[str]]) -> list[str]:
    run = context.run
    if run is None:
        return []
    if run.asset_selection:
        return sorted(key.to_user_string() for key in run.asset_selection)
    return jobs.get(run.job_name, [])


def _in_words(plan: Plan) -> str:
    counts = {name: len(keys) for name, keys in plan.to_json().items()}
    unknown = f", {counts['unknown']} to be decided on the way" if counts["unknown"] else ""
    return f"plan: {counts['build']} to build{unknown}, {counts['cached']} stand"
