"""Merged models as a study asks for them: through the catalog, the lineage and the job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import dagster as dg
import pytest
import yaml
from click.testing import CliRunner

from assets.merged import CHECKS
from rc_pipeline.catalog import CatalogError, load_catalog
from rc_pipeline.cli import main
from rc_pipeline.commands import entry
from rc_pipeline.definitions import build_definitions
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lake.store import Store
from rc_pipeline.lineage import load_lineage
from rc_pipeline.merging.answers import POINTS, QUESTIONS
from rc_pipeline.merging.logits import TOLERANCE
from resources.compute import Compute
from tests.demo.small_study import copy_catalog


def merging(catalog: Path, merge: dict[str, str], study: str = "demo") -> Path:
    path = catalog / "studies" / f"{study}.yaml"
    told = yaml.safe_load(path.read_text(encoding="utf-8"))
    told["runs"]["front"] = {"model": "rc_tiny", "tune": {"method": "prefix", "epochs": 0.1}}
    path.write_text(yaml.safe_dump(told | {"merge": merge}, sort_keys=False), encoding="utf-8")
    return catalog


def problems(catalog: Path) -> str:
    with pytest.raises(CatalogError) as caught:
        load_catalog(catalog)
    return str(caught.value)


def test_the_page_names_every_check_and_its_bound() -> None:
    page = (PROJECT / "docs" / "merging.md").read_text(encoding="utf-8")
    table = page.partition("| check | holds when |")[2].partition("\n\n")[0]

    assert set(CHECKS) == {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    for said in (
        *(f"{bound:.4f}".rstrip("0") for bound in TOLERANCE.values()),
        f"{QUESTIONS} over",
        f"{POINTS:g} points",
    ):
        assert said in table


def test_runs_that_have_nothing_to_merge_are_refused_with_the_reason(tmp_path: Path) -> None:
    merge = {"demo_base": "fp32", "front": "bf16", "demo_tune": "fp16", "demo_tuned--rank-2": "bf16"}
    said = problems(merging(copy_catalog(tmp_path / "catalog"), merge))

    assert 'merge.demo_base = "fp32": nothing is trained here, so there is nothing to merge' in said
    assert 'merge.front = "bf16": method prefix trains what stands in front' in said
    assert 'merge.demo_tune = "fp16": no such run in this study; did you mean demo_tuned?' in said
    assert "rank-2" not in said


def test_a_precision_that_weights_are_not_published_in_is_refused(tmp_path: Path) -> None:
    said = problems(merging(copy_catalog(tmp_path / "catalog"), {"demo_tuned": "int8"}))

    assert 'merge.demo_tuned = "int8": one of fp32, fp16, bf16' in said


def test_two_studies_merge_one_run_into_one_precision(tmp_path: Path) -> None:
    catalog = merging(copy_catalog(tmp_path / "catalog"), {"demo_tuned": "bf16"})
    told = yaml.safe_load((catalog / "studies" / "demo.yaml").read_text(encoding="utf-8"))
    del told["ablations"]
    (catalog / "studies" / "other.yaml").write_text(yaml.safe_dump(told | {"merge": {"demo_tuned": "fp32"}}))

    assert "catalog/studies/demo.yaml merges the same run (demo_tuned) into bf16" in problems(catalog)


def test_merging_makes_a_run_no_other_run(tmp_path: Path) -> None:
    plain = load_lineage(merging(copy_catalog(tmp_path / "plain"), {}), tmp_path / "lake")
    merged = load_lineage(merging(copy_catalog(tmp_path / "merged"), {"demo_tuned": "bf16"}), tmp_path / "lake")

    assert merged.study("demo") == sorted([*plain.study("demo"), "merged/demo_tuned"], key=merged.study("demo").index)
    assert all(plain.graph[key].settings == merged.graph[key].settings for key in plain.study("demo"))


@pytest.mark.slow
def test_a_study_publishes_a_run_in_a_process_of_its_own_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, lake = merging(copy_catalog(tmp_path / "catalog"), {"demo_tuned": "fp16"}), tmp_path / "lake"
    definitions = build_definitions(catalog, lake, Compute())
    wanted = dg.AssetSelection.assets(dg.AssetKey(["merged", "demo_tuned"])).upstream()
    job = dg.Definitions(
        assets=definitions.assets, resources=definitions.resources, jobs=[dg.define_asset_job("merging", wanted)]
    ).resolve_job_def("merging")
    with dg.DagsterInstance.ephemeral() as instance:
        built = [job.execute_in_process(instance=instance) for _ in range(2)]

    artifact = Store(lake).all_heads()["merged/demo_tuned"]
    outcome, card = artifact.manifest.results(), (artifact.folder / "README.md").read_text(encoding="utf-8")
    assert all(check.passed and check.blocking for check in outcome.checks)
    assert len(outcome.checks) == 4
    assert outcome.metadata["questions_compared"] == 32
    assert f"`{Store(lake).all_heads()['adapters/demo_tuned'].manifest.content}`" in card
    assert "| sample_cosmos/valid | accuracy |" in card
    assert str(tmp_path) not in "".join(path.read_text(errors="ignore") for path in artifact.folder.glob("[!_]*"))
    again = [event.materialization for event in built[1].get_asset_materialization_events()]
    assert all(event.metadata["from_cache"].value for event in again)
    assert _said_by_plain_transformers(artifact.folder).strip()
    monkeypatch.setattr(entry, "load_lineage", partial(load_lineage, catalog))
    monkeypatch.setenv("RC_LAKE", str(lake))
    for options, words in (([], "merged in fp16"), (["--base"], "rc_tiny, prompt")):
        told = CliRunner().invoke(main, ["chat", "demo_tuned", "--max-new-tokens", "5", *options], input="Who?\n谁？\n")
        assert told.exit_code == 0, told.output
        assert words in told.stderr
        assert len(told.stdout.splitlines()) == 2


def _said_by_plain_transformers(folder: Path) -> str:
    """Ask a published model where nothing of this project can be imported."""
    script = (
        "import sys, json\n"
        "from transformers import pipeline\n"
        "ask = pipeline('text-generation', sys.argv[1], device='cpu')\n"
        "messages = [{'role': 'user', 'content': 'Who lives here?', 'input': 'Anna lives here.'}]\n"
        "print(json.dumps(ask(messages, return_full_text=False)[0]['generated_text']))\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-I", "-c", script, str(folder)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout.splitlines()[-1]))
