"""A lake in which the sample's instructions are built, for commands that read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rc_pipeline.lake.code import PROJECT


@pytest.fixture(scope="session")
def built_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import dagster as dg

    from rc_pipeline.definitions import build_definitions
    from resources.compute import InlineCompute

    lake = tmp_path_factory.mktemp("lake")
    definitions = build_definitions(PROJECT / "catalog", lake, InlineCompute())
    keys = ("instructions/sample_cosmos", "instructions/sample_trivia", "tables/identity", "base_models/rc_tiny")
    wanted = dg.AssetSelection.assets(*keys).upstream()
    job = dg.Definitions(
        assets=definitions.assets, resources=definitions.resources, jobs=[dg.define_asset_job("few", wanted)]
    ).resolve_job_def("few")
    assert job.execute_in_process(instance=dg.DagsterInstance.ephemeral()).success
    return lake


@pytest.fixture
def cli(built_lake: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Call rc-pipeline on the built lake, or on another."""
    from rc_pipeline.cli import main

    def call(*arguments: object, lake: Path = built_lake, code: int = 0) -> Result:
        monkeypatch.setenv("RC_LAKE", str(lake))
        done = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert done.exit_code == code, done.output
        return done

    return call
