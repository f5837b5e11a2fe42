"""The demo, shrunk to seconds: the same stages and code on fewer rows and steps."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from rc_pipeline.lake.code import PROJECT

ROWS = {"seed": 7, "train": 48, "valid": 16, "test": 4}


@dataclass
class SmallStudy:
    """A catalog that a test may edit, and a lake of its own."""

    catalog: Path
    lake: Path

    def copy(self, folder: Path) -> SmallStudy:
        """Return the same study, catalog and lake, for a test to change."""
        catalog = Path(shutil.copytree(self.catalog, folder / "catalog"))
        # Artifacts never change, so hard links are copies; links to heads stay links.
        lake = Path(shutil.copytree(self.lake, folder / "lake", symlinks=True, copy_function=os.link))
        (lake / "cache" / "warehouse").unlink()
        return SmallStudy(catalog, lake)

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace text in a file of the catalog; the text must be there."""
        path = self.catalog / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} does not say {old!r}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def run(self) -> set[str]:
        """Run the study's job with an instance of its own and return what was built, not found."""
        import dagster as dg

        from rc_pipeline.definitions import build_definitions
        from resources.compute import InlineCompute

        definitions = build_definitions(self.catalog, self.lake, InlineCompute())
        result = definitions.resolve_job_def("demo").execute_in_process(instance=dg.DagsterInstance.ephemeral())
        assert result.success
        events = [event.materialization for event in result.get_asset_materialization_events()]
        assert len(events) == len(result.get_asset_materialization_events())
        return {event.asset_key.to_user_string() for event in events if event.metadata["from_cache"].value is False}

    def contents(self) -> dict[str, str]:
        """Return the content hash of every asset's latest artifact."""
        from rc_pipeline.lake.store import Store

        return {key: artifact.manifest.content for key, artifact in Store(self.lake).all_heads().items()}


def shrink(catalog: Path) -> None:
    """Make the demo of a catalog small, and leave out the study that needs files from elsewhere."""
    for dataset in ("sample_cosmos", "sample_trivia"):
        _rewrite(catalog / "datasets" / f"{dataset}.yaml", {"source": {"sample": ROWS}})
    study = catalog / "studies" / "demo.yaml"
    data = yaml.safe_load(study.read_text(encoding="utf-8"))
    data["runs"]["demo_tuned"]["tune"] |= {"epochs": 1}
    study.write_text("# a comment\n" + yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    (catalog / "studies" / "full_pipeline.yaml").unlink()


def _rewrite(path: Path, changes: dict[str, object]) -> None:
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(data | changes, sort_keys=False), encoding="utf-8")


def copy_catalog(folder: Path) -> Path:
    """Copy the project's catalog and shrink it."""
    shutil.copytree(PROJECT / "catalog", folder)
    shrink(folder)
    return folder


def copy_project(folder: Path) -> Path:
    """Copy all that a run needs, so that a test may edit the code; the ablation is left out."""
    for name in ("rc_pipeline", "assets", "resources", "catalog"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "workspace.yaml", folder)
    shrink(folder / "catalog")
    study = folder / "catalog" / "studies" / "demo.yaml"
    data = yaml.safe_load(study.read_text(encoding="utf-8"))
    del data["ablations"]
    study.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return folder
