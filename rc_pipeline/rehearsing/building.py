"""One artifact of a rehearsal, built as any other, with its heavy work in this process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.outcome import Check, Outcome
from rc_pipeline.lineage import load_lineage
from rc_pipeline.worker import in_this_process


def build(catalog: Path, lake: Path, key: str) -> tuple[Outcome, list[str]]:
    """Return what a stage says of an artifact, with every check that it promises, and the checks that refuse it."""
    from rc_pipeline.definitions import STAGES

    opened = _opened(catalog, lake)
    node = opened.graph[key]
    stage = STAGES[node.stage]
    manifest = opened.obtain(
        key, lambda work: stage.build(work, lambda task, spec: in_this_process(task, spec, lambda _: None))
    ).manifest
    return _with_every_check(manifest.results(), stage.checks(node)), manifest.refused_by()


@lru_cache(maxsize=1)
def _opened(catalog: Path, lake: Path) -> Lake:
    return Lake(lake, load_lineage(catalog, lake).graph)


def _with_every_check(outcome: Outcome, expected: Mapping[str, bool]) -> Outcome:
    made = {check.name for check in outcome.checks}
    unmade = tuple(
        Check(name, passed=False, blocking=blocking, description="The stage promises this check and did not make it.")
        for name, blocking in expected.items()
        if name not in made
    )
    return Outcome(outcome.metadata, (*outcome.checks, *unmade), outcome.tables)
