"""`rc-pipeline plan`: what trainings will take, before anything of a model is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.training.configs import LLAMA2_7B_CONFIG, MINICPM_CONFIG

Cli = Callable[..., Result]


def trainings(cli: Cli, study: str, **options: Any) -> dict[str, dict[str, Any]]:
    build = json.loads(cli("plan", study, "--json", **options).output)["build"]
    return {entry["key"].removeprefix("adapters/"): entry["training"] for entry in build if "training" in entry}


def inbox(lake: Path, name: str, text: str) -> Path:
    folder = lake / "inbox" / "models" / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(text)
    return lake


def test_without_a_checkpoint_the_memory_is_unknown_and_what_tells_it_is_named(cli: Cli, tmp_path: Path) -> None:
    found = trainings(cli, "full_pipeline", lake=tmp_path)["minicpm_lora"]

    assert (found["gpu_bytes"], found["steps"]) == (None, None)
    assert found["unknown"] == [
        "memory: known once the config.json of base_models/minicpm_2b is there",
        "steps: known once instructions/cosmos_qa is built",
    ]
    assert "memory: known once" in cli("plan", "full_pipeline", lake=tmp_path).output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "config.json"),
        ("[]", "holds a list"),
        ("{}", "none of hidden_size"),
        ('{"hidden_size": "wide"}', "hidden_size 'wide'"),
        (json.dumps(MINICPM_CONFIG | {"num_experts": 8}), "mixture of experts"),
    ],
)
def test_a_config_that_tells_no_sizes_is_no_reason_to_fail(cli: Cli, tmp_path: Path, text: str, said: str) -> None:
    found = trainings(cli, "full_pipeline", lake=inbox(tmp_path, "minicpm_2b", text))["minicpm_lora"]

    assert found["gpu_bytes"] is None
    assert said in found["unknown"][0]


def test_the_models_of_the_mission_are_predicted_from_their_config_alone(cli: Cli, tmp_path: Path) -> None:
    inbox(tmp_path, "llama2_7b", json.dumps(LLAMA2_7B_CONFIG))
    found = trainings(cli, "full_pipeline", lake=inbox(tmp_path, "minicpm_2b", json.dumps(MINICPM_CONFIG)))

    assert 6e9 < found["minicpm_lora"]["gpu_bytes"] < 8e9 < found["minicpm_lora"]["gpu_bytes_kept"] < 12e9
    assert 4.5e9 < found["llama2_qlora"]["gpu_bytes"] < 7e9
    said = cli("plan", "full_pipeline", lake=tmp_path).output
    assert "GB on a GPU at 1,024 tokens (" in said
    assert "without computing activations twice)" in said


def test_steps_are_those_that_the_training_makes(cli: Cli, built_lake: Path) -> None:
    from rc_pipeline.training.batches import plan_batches
    from rc_pipeline.training.examples import select_rows

    heads = built_lake / "heads" / "instructions"
    splits = {"sample_cosmos": ["train"], "sample_trivia": ["wikipedia-train"]}
    files = {name: [str(heads / name / f"{split}.parquet") for split in each] for name, each in splits.items()}
    rows, _ = select_rows([{"dataset": name, "files": each, "rows": None} for name, each in files.items()])

    found = trainings(cli, "demo")["demo_tuned"]

    assert found["steps"] == len(plan_batches([1] * rows.height, batch_size=16, epochs=1, seed=0))
    assert found["unknown"] == []
    assert "predicted: 0.7 GB on a GPU at 256 tokens; " in cli("plan", "demo").output


def test_a_plan_imports_nothing_heavy(built_lake: Path) -> None:
    code = (
        "import sys; from rc_pipeline.cli import main\n"
        "try: main(['plan', 'demo'])\n"
        "except SystemExit: print(sorted({'torch', 'transformers', 'polars', 'dagster', 'pandera'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"RC_LAKE": str(built_lake)}, capture_output=True, text=True
    )

    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_of_many_that_a_thing_waits_for_the_first_are_told_and_the_rest_counted() -> None:
    from rc_pipeline.commands.plan import _first

    assert _first(("a", "b", "c")) == "a, b, c"
    assert _first(("a", "b", "c", "d")) == "a, b and 2 more"


def test_the_last_line_counts_and_no_line_ends_in_spaces(cli: Cli) -> None:
    lines = cli("plan", "demo").output.splitlines()

    assert lines[-1] == "19 to build, 0 unknown, 8 stand"
    assert all(line == line.rstrip() for line in lines)
