"""One Dagster asset for one node of the lineage: found in the lake, or built once."""

# No postponed annotations here: Dagster reads that of `context` as it stands.
import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from rc_pipeline.corpora.downloads import DownloadFailed
from rc_pipeline.lake.build import Build, InputChanged, Lake, NotReady, Work
from rc_pipeline.lake.canonical import sha256_json
from rc_pipeline.lake.durable import LakeUnwritable
from rc_pipeline.lake.graph import Node
from rc_pipeline.lake.outcome import JSON, Check, Outcome
from rc_pipeline.lake.planner import MissingInput
from rc_pipeline.lake.store import Artifact
from resources.compute import Compute, Task, WorkerFailed, WorkerKilled
from resources.lake import OpenedLake

Heavy = Callable[[Task, Mapping[str, JSON]], Outcome]
NOT_MADE = "This artifact was built before the check existed; `rc-pipeline discard KEY` has it built and checked again."
# What starting the same thing again cannot cure.
PERMANENT = (ValueError, NotReady, InputChanged, LakeUnwritable, MissingInput, WorkerFailed, DownloadFailed)


@dataclass(frozen=True)
class Stage:
    """How the nodes of one stage are built and what is checked of them (name -> blocking)."""

    build: Callable[[Work, Heavy], Outcome]
    checks: Callable[[Node], Mapping[str, bool]]
    description: str


def asset_for(node: Node, stage: Stage, code: Mapping[str, str]) -> dg.AssetsDefinition:
    """Return the asset of a node by the hashes of its code; its dependencies, checks and texts come from the node."""
    key = dg.AssetKey(node.key.split("/"))

    @dg.asset(
        key=key,
        deps=[dg.AssetKey(upstream.split("/")) for upstream in sorted({need.key for need in node.needs.values()})],
        group_name=node.stage,
        kinds=_kinds(node),
        owners=_owners(node),
        description=_description(node, stage),
        code_version=sha256_json([code, dict(node.settings)])[:12],
        check_specs=[
            dg.AssetCheckSpec(name, asset=key, blocking=blocking) for name, blocking in stage.checks(node).items()
        ],
        metadata={"catalog": sorted(set(node.origins.values()))},
        required_resource_keys={"lake", "compute"},
    )
    def _asset(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        lake: OpenedLake = context.resources.lake
        return _result(lake.lake, _obtain(context, lake, node, stage), stage.checks(node))

    return _asset


def _obtain(context: dg.AssetExecutionContext, lake: OpenedLake, node: Node, stage: Stage) -> Artifact:
    compute: Compute = context.resources.compute
    build: Build = lambda work: stage.build(work, lambda task, spec: compute.run(context, task, spec))  # noqa: E731
    try:
        artifact = lake.obtain(node.key, build, context.log.info)
    except WorkerKilled as error:
        context.log.warning(str(error))
        raise dg.RetryRequested(max_retries=1) from error
    except PERMANENT as error:
        # The message says all that a person can act on; a bug raises something else and keeps its trace.
        raise dg.Failure(f"{node.key}: {error}", allow_retries=False) from None
    if not artifact.reused:
        context.log.info(f"{node.key}: built in {artifact.manifest.seconds:.1f} s")
    return artifact


def _result(lake: Lake, artifact: Artifact, expected: Mapping[str, bool]) -> dg.MaterializeResult[Any]:
    page, outcome = artifact.manifest, artifact.manifest.results()
    made = {check.name: check for check in outcome.checks}
    checks = [made.get(name) or Check(name, passed=False, description=NOT_MADE) for name in expected]
    return dg.MaterializeResult(
        metadata={
            **{name: _shown(value, artifact) for name, value in outcome.metadata.items()},
            "from_cache": artifact.reused,
            "build_seconds": page.seconds,
            "fingerprint": page.fingerprint,
            "folder": dg.MetadataValue.path(str(artifact.folder.relative_to(lake.root))),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=check.name,
                passed=check.passed,
                description=check.description or None,
                metadata={name: _shown(value, artifact) for name, value in check.metadata.items()},
            )
            for check in checks
        ],
        data_version=dg.DataVersion(page.content),
    )


def _shown(value: JSON, artifact: Artifact) -> Any:
    """Return a value as Dagster shows it; a picture travels inside the page, since the UI serves no files."""
    if isinstance(value, dict) and set(value) == {"markdown"}:
        return dg.MetadataValue.md(str(value["markdown"]))
    if isinstance(value, dict) and set(value) == {"image"}:
        data = base64.b64encode((artifact.folder / str(value["image"])).read_bytes()).decode()
        return dg.MetadataValue.md(f"![{value['image']}](data:image/png;base64,{data})")
    if isinstance(value, dict | list):
        return dg.MetadataValue.json(value)
    return dg.MetadataValue.null() if value is None else value


def _kinds(node: Node) -> set[str]:
    kinds = node.about.get("kinds")
    return {re.sub(r"[^a-z0-9]+", "", str(kind).lower()) for kind in kinds} if isinstance(kinds, list) else set()


def _owners(node: Node) -> list[str]:
    owners = node.about.get("owners")
    return [str(owner) for owner in owners] if isinstance(owners, list) else []


def _description(node: Node, stage: Stage) -> str:
    lines = [node.about.get("title"), node.about.get("description"), stage.description, node.about.get("homepage")]
    return "\n\n".join(str(line) for line in lines if line)
