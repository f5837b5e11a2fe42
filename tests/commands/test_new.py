from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from rc_pipeline.catalog import load_catalog
from rc_pipeline.catalog.formats import FORMATS
from rc_pipeline.commands import new
from rc_pipeline.lake.code import PROJECT

Call = Callable[..., Result]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call `rc-pipeline new` on a catalog of its own."""
    catalog = Path(shutil.copytree(PROJECT / "catalog", tmp_path / "catalog"))
    monkeypatch.setattr(new, "CATALOG", catalog)
    monkeypatch.setenv("RC_LAKE", str(tmp_path / "lake"))

    def run(*arguments: str, code: int = 0) -> Result:
        done = CliRunner().invoke(new.new, list(arguments))
        assert done.exit_code == code, done.output
        return done

    return run


def build(tmp_path: Path, *keys: str) -> dg.ExecuteInProcessResult:
    from rc_pipeline.definitions import build_definitions
    from resources.compute import InlineCompute

    definitions = build_definitions(tmp_path / "catalog", tmp_path / "lake", InlineCompute())
    wanted = dg.AssetSelection.assets(*keys).upstream()
    job = dg.Definitions(
        assets=definitions.assets, resources=definitions.resources, jobs=[dg.define_asset_job("few", wanted)]
    ).resolve_job_def("few")
    return job.execute_in_process(instance=dg.DagsterInstance.ephemeral())


@pytest.mark.parametrize("name", ["My Data", "../elsewhere", "-x", "数据"])
def test_a_name_that_no_file_can_have_is_refused(call: Call, name: str) -> None:
    done = call("study", "--", name, code=2)
    assert "names are lower-case letters" in done.output


def test_a_file_that_is_there_is_never_overwritten(call: Call, tmp_path: Path) -> None:
    before = (tmp_path / "catalog" / "models" / "gpt2.yaml").read_bytes()
    done = call("model", "gpt2", code=1)
    assert "there already" in done.output
    assert (tmp_path / "catalog" / "models" / "gpt2.yaml").read_bytes() == before


def test_a_near_name_is_proposed_for_one_that_does_not_exist(call: Call) -> None:
    assert "cosmos_qa" in call("template", "cosmos_qq", "mine", code=1).output
    assert "rc_tiny" in call("study", "mine", "--model", "rc_tinny", code=1).output


def test_a_config_that_is_no_json_is_named(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "lake" / "inbox" / "models" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{")
    assert "cannot be read as JSON" in call("model", "mine", code=1).output
    assert not (tmp_path / "catalog" / "models" / "mine.yaml").exists()


def test_files_of_ones_own_in_the_inbox_stay_as_they_are(call: Call, tmp_path: Path) -> None:
    mine = tmp_path / "lake" / "inbox" / "quiz" / "train.csv"
    mine.parent.mkdir(parents=True)
    mine.write_text("a,b\n")
    call("dataset", "quiz")
    assert mine.read_text() == "a,b\n"
    assert sorted(path.name for path in mine.parent.iterdir()) == ["train.csv"]


def test_a_new_dataset_of_every_format_is_built_as_it_is(call: Call, tmp_path: Path) -> None:
    for fmt in FORMATS:
        call("dataset", f"new_{fmt}", "--format", fmt)
    assert build(tmp_path, *(f"instructions/new_{fmt}" for fmt in FORMATS)).success


def test_a_new_template_renders_every_kind_of_row(call: Call, tmp_path: Path) -> None:
    # Conversations are asked by the templates of alpaca.
    formats = [fmt for fmt in FORMATS if fmt not in ("sharegpt", "openai")]
    for fmt in formats:
        call("dataset", f"new_{fmt}", "--format", fmt)
        call("template", f"new_{fmt}", "my_own")
        call("template", f"new_{fmt}", "my_own_zh", "--language", "zh")
    assert build(tmp_path, *(f"instructions/new_{fmt}" for fmt in formats)).success


def test_a_model_is_described_by_its_own_config(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "lake" / "inbox" / "models" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2", "n_positions": 2048}))
    call("model", "mine")
    call("model", "later", "--family", "chatglm2")
    models = load_catalog(tmp_path / "catalog").models
    assert (models["mine"].family, models["mine"].context_tokens) == ("gpt2", 2048)
    assert (models["later"].family, models["later"].prompt) == ("chatglm2", "chatglm2")


def test_a_new_study_runs_to_its_report_as_it_is(call: Call, tmp_path: Path) -> None:
    call("dataset", "quiz")
    call("study", "mine", "--dataset", "quiz")
    call("study", "other")
    assert load_catalog(tmp_path / "catalog").studies["other"].evaluate_on
    assert build(tmp_path, "reports/mine").success


def test_the_command_line_knows_it() -> None:
    from rc_pipeline.cli import main

    shown = CliRunner().invoke(main, ["new", "--help"]).output
    assert all(kind in shown for kind in ("dataset", "template", "model", "study"))
    assert PROJECT / "catalog" == new.CATALOG
