"""The one door by which Dagster enters: assets, resources, and a job for every study."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from assets import (
    adapters,
    base_models,
    instructions,
    merged,
    overlaps,
    passages,
    predictions,
    raw,
    reports,
    scores,
    tables,
)
from assets.factory import Stage, asset_for
from rc_pipeline.catalog.validation import twin
from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lake.folder import lake_folder
from rc_pipeline.lineage import Lineage, load_lineage
from resources.compute import Compute
from resources.console import console_logger
from resources.lake import lake_resource

STAGES: dict[str, Stage] = {
    "raw": raw.STAGE,
    "tables": tables.STAGE,
    "passages": passages.STAGE,
    "instructions": instructions.STAGE,
    "overlaps": overlaps.STAGE,
    "base_models": base_models.STAGE,
    "adapters": adapters.STAGE,
    "predictions": predictions.STAGE,
    "scores": scores.STAGE,
    "merged": merged.STAGE,
    "reports": reports.STAGE,
}
# Dagster uses its own console, events and all, unless a job names another.
TERMINAL = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}


def build_definitions(
    catalog: Path = PROJECT / "catalog", lake_root: Path | None = None, compute: Compute | None = None
) -> dg.Definitions:
    """Return everything that a catalog describes, over one lake."""
    root = lake_root or lake_folder()
    lineage = load_lineage(catalog, root)
    lake = Lake(root, lineage.graph)
    jobs = {job_name(study): lineage.study(study) for study in lineage.catalog.studies}
    return dg.Definitions(
        assets=[
            asset_for(node, STAGES[node.stage], lake.loaded_code[node.code]) for node in lineage.graph.nodes.values()
        ],
        jobs=[_job(lineage, study) for study in lineage.catalog.studies],
        resources={"lake": lake_resource(lake, jobs), "compute": compute or Compute()},
        executor=dg.in_process_executor,
        loggers={"console": console_logger},
    )


def job_name(study: str) -> str:
    """Return the name of a study's job; Dagster allows no hyphen in it."""
    return twin(study)


def _job(lineage: Lineage, study: str) -> dg.UnresolvedAssetJobDefinition:
    keys = [dg.AssetKey(key.split("/")) for key in lineage.study(study)]
    told = lineage.catalog.studies[study]
    return dg.define_asset_job(
        job_name(study),
        selection=dg.AssetSelection.assets(*keys),
        description=f"{told.title}\n\n{told.description}".strip(),
        config=TERMINAL,
    )


defs = build_definitions()
