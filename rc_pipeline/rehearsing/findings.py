"""What a rehearsal found: errors and failed checks by the file they come from, and rows that do not fit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rc_pipeline.catalog import Catalog
from rc_pipeline.catalog.runs import Run
from rc_pipeline.checkup.findings import Finding, problem, warning
from rc_pipeline.lake.build import InputChanged
from rc_pipeline.lake.graph import Graph, Node
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.rehearsing.process import Killed
from rc_pipeline.rehearsing.running import Rehearsed

# Prompts are as long as the tokenizer makes them.
BY_LENGTH = ("NothingToLearn", "PromptTooLong")
# A handful of rows, and weights that know nothing, say nothing of these.
OF_FEW_ROWS = frozenset({"no_split_is_empty", "published_counts", "no_overlap"})
IF_KILLED = "if nobody did that, memory most likely ran out: close what else runs, or rehearse with fewer --rows"
STAND_IN = " (by a stand-in's tokenizer; real lengths are known once the model's own is there)"


@dataclass(frozen=True)
class Rows:
    """What became of the rows that a run learned from or was asked."""

    what: str
    rows: int
    refused: int
    cut: int


def errors(found: Rehearsed, graph: Graph, catalog: Catalog, stood_in: Collection[str]) -> Iterator[Finding]:
    """Yield what ended a build, by the file that asked for it; `stood_in` names models that lack their tokenizer."""
    for key, error in found.errors.items():
        node = graph[key]
        held_back = sum(cause == key for cause in found.held_back.values())
        waits = f"; {held_back} others wait for it" if held_back else ""
        where = node.origins.get("", next(iter(sorted(node.origins.values())), key))
        model = _model(node, catalog)
        if error.kind in BY_LENGTH and model in stood_in:
            yield warning(where, f"{key}: {error}{STAND_IN}", f"put the tokenizer of {model} there and rehearse again")
        elif error.kind == InputChanged.__name__:
            yield problem(where, str(error), "nothing is wrong with the study: start the rehearsal again")
        elif isinstance(error, Killed):
            yield problem(where, f"{key}: {error}", f"{IF_KILLED}{waits}")
        elif error.explained:
            yield problem(where, f"{key}: {error}", f"the real run would end here{waits}")
        else:
            says = f"{key}: {error.kind}: {error}"
            yield problem(where, says, f"a fault of this package: please report it, with the trace above{waits}")


def _model(node: Node, catalog: Catalog) -> str:
    parts = node.key.split("/")
    return catalog.runs[parts[1]].model if len(parts) > 1 and parts[1] in catalog.runs else ""


def failed_checks(found: Rehearsed, graph: Graph, unreal: Collection[str]) -> Iterator[Finding]:
    """Yield the checks that warn; what is said of made-up rows says nothing of the real ones."""
    for key, outcome in found.outcomes.items():
        stage, _, name = key.partition("/")
        if key in found.errors or stage in {"predictions", "adapters"} or name.partition("/")[0] in unreal:
            continue
        where = graph[key].origins.get("", key)
        for check in outcome.checks:
            if not check.passed and check.name not in OF_FEW_ROWS:
                yield warning(
                    where, f"{key}: check {check.name}: {check.description}", "look at it before the real run"
                )


def rows_of(key: str, outcome: Outcome) -> Rows | None:
    """Return how many rows of an adapter or of predictions did not fit their prompt, None for what has none."""
    told: Mapping[str, Any] = outcome.metadata
    cut = int(told.get("passages_cut", 0))
    if key.startswith("adapters/"):
        refused = int(told.get("dropped_prompt_too_long", 0))
        learned = sum(int(str(rows)) for name, rows in told.items() if name.startswith("rows_from_"))
        return Rows("learns from", learned, refused, cut)
    if key.startswith("predictions/"):
        return Rows("is asked", int(told["rows"]), int(told["prompt_too_long"]), cut)
    return None


def unfit(found: Rehearsed, catalog: Catalog, stood_in: Collection[str]) -> Iterator[Finding]:
    """Yield where a template leaves no room for the answer, with the field that says how much room there is."""
    for key, outcome in found.outcomes.items():
        rows = rows_of(key, outcome)
        if rows is None or not rows.refused:
            continue
        run = catalog.runs[key.split("/")[1]]
        field, value = _limit(key, run, catalog)
        asked = key.partition("/")[2].partition("/")[2] or ", ".join(run.train_on)
        says = f"{run.name}: {rows.refused} of {rows.rows} rows of {asked} do not fit {field} = {value}"
        remedy = "raise it, or shorten the templates; a question that is refused counts as wrong"
        where = catalog.origin("runs", run.name)
        if run.model in stood_in:
            yield warning(where, says + STAND_IN, remedy)
        elif rows.refused == rows.rows:
            yield problem(where, says, remedy)
        else:
            yield warning(where, says, remedy)


def _limit(key: str, run: Run, catalog: Catalog) -> tuple[str, int]:
    context = catalog.models[run.model].context_tokens
    if key.startswith("adapters/") and run.tune is not None:
        return "tune.max_tokens", run.tune.max_tokens
    if run.answer.max_tokens is not None:
        return "answer.max_tokens", run.answer.max_tokens
    return f"context_tokens of {run.model}", context


def quarantined(found: Rehearsed, graph: Graph) -> Iterator[Finding]:
    """Yield how many rows of the user's files were set aside."""
    for key, outcome in found.outcomes.items():
        bad = outcome.metadata.get("quarantined")
        if key.startswith("tables/") and bad:
            reasons = [f"{name.partition(': ')[2]} {rows}" for name, rows in outcome.metadata.items() if ": " in name]
            says = f"{key}: {bad} rows are set aside ({', '.join(reasons)})"
            yield warning(graph[key].origins.get("", key), says, "docs/datasets.md#bad-rows tells how to see them")
