"""Every stage of a study in this process, one after the other; what fails keeps nothing but its dependents back."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from rc_pipeline.lake.build import Lake, Work
from rc_pipeline.lake.graph import Node
from rc_pipeline.lake.outcome import JSON, Check, Outcome
from rc_pipeline.worker import Progress

# The function that each kind of heavy work is.
WORK = {"training": "train", "prediction": "predict", "merging": "merge"}
Heavy = Callable[[str, Mapping[str, JSON]], Outcome]


class Stage(Protocol):
    """How the nodes of one stage are built, as `assets` says it."""

    @property
    def build(self) -> Callable[[Work, Heavy], Outcome]:
        """Build one node."""

    @property
    def checks(self) -> Callable[[Node], Mapping[str, bool]]:
        """Name the checks that are made of it."""


@dataclass
class Rehearsed:
    """What came of each key: its outcome, the error that ended it, or the key that it waited for in vain."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    errors: dict[str, Exception] = field(default_factory=dict)
    held_back: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def rehearse_all(
    lake: Lake, keys: list[str], stages: Mapping[str, Stage], say: Callable[[str, str, float], None]
) -> Rehearsed:
    """Build the keys in their order; `say` hears of each what became of it, and the seconds that it took."""
    found = Rehearsed()
    for key in keys:
        node = lake.graph[key]
        stage = stages[node.stage]
        cause = next((need.key for need in node.needs.values() if need.key in found.errors), None)
        cause = cause or next(
            (found.held_back[need.key] for need in node.needs.values() if need.key in found.held_back), None
        )
        if cause is not None:
            found.held_back[key] = cause
            continue
        started = time.perf_counter()
        try:
            artifact = lake.obtain(key, lambda work, stage=stage: stage.build(work, _in_this_process))  # type: ignore[misc]
            found.outcomes[key] = _with_every_check(artifact.manifest.results(), stage.checks(node))
            refused = artifact.manifest.refused_by()
            if refused:
                raise ValueError(f"failed its check {', '.join(refused)}")
        except Exception as error:  # whatever ends a build would end it in the real run
            found.errors[key] = error
        found.seconds[key] = time.perf_counter() - started
        say("FAILED" if key in found.errors else "done", key, found.seconds[key])
    return found


def _in_this_process(task: str, spec: Mapping[str, JSON]) -> Outcome:
    work = getattr(importlib.import_module(f"rc_pipeline.{task}.run"), WORK[task])
    outcome: Outcome = work(json.loads(json.dumps(spec)), Progress(task, lambda _: None))
    return outcome


def _with_every_check(outcome: Outcome, expected: Mapping[str, bool]) -> Outcome:
    made = {check.name for check in outcome.checks}
    unmade = tuple(
        Check(name, passed=False, blocking=blocking, description="The stage promises this check and did not make it.")
        for name, blocking in expected.items()
        if name not in made
    )
    return Outcome(outcome.metadata, (*outcome.checks, *unmade), outcome.tables)
