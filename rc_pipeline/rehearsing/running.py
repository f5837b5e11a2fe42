"""Every stage of a study, one after the other; what fails keeps nothing but its dependents back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rc_pipeline.lake.graph import Graph
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.rehearsing.process import Failed


@dataclass
class Rehearsed:
    """What came of each key: its outcome, the error that ended it, or the key that it waited for in vain."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    errors: dict[str, Failed] = field(default_factory=dict)
    held_back: dict[str, str] = field(default_factory=dict)


def rehearse_all(
    keys: list[str], graph: Graph, build: Callable[[str], Mapping[str, Any]], say: Callable[[str, str, float], None]
) -> Rehearsed:
    """Build the keys in their order; `say` hears of each what became of it, and the seconds that it took."""
    found = Rehearsed()
    for key in keys:
        needed = [need.key for need in graph[key].needs.values()]
        cause = next((one for one in needed if one in found.errors), None)
        cause = cause or next((found.held_back[one] for one in needed if one in found.held_back), None)
        if cause is not None:
            found.held_back[key] = cause
            continue
        started = time.perf_counter()
        try:
            told = build(key)
            found.outcomes[key] = Outcome.from_json(told["outcome"])
            if told["refused"]:
                raise Failed(f"failed its check {', '.join(told['refused'])}", "Refused", explained=True)
        except Failed as error:
            found.errors[key] = error
        say("FAILED" if key in found.errors else "done", key, time.perf_counter() - started)
    return found
