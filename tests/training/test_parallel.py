"""Two processes against one: the same steps, whether the model is whole in each of them or spread over both."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from rc_pipeline.lake.code import PROJECT
from rc_pipeline.training.checkpoints import Checkpoints
from rc_pipeline.training.memory import OutOfMemory
from rc_pipeline.training.parallel import Group, _buckets, own_part, whole
from rc_pipeline.training.run import train
from rc_pipeline.worker import Progress
from tests.models.tiny_models import instructions, training_spec, write_model
from tests.models.upstream import write_flan_t5
from tests.training.test_run import trainer_of

# 25 rows in batches of 4: the last batch has one row, so that one process has nothing to do in it.
ROWS = 25
# Trains the specs of a list one after the other; a spec with `killed_at` loses its second process there.
TRAIN_EACH = """
import json, os, signal, sys
from pathlib import Path
from rc_pipeline.training import parallel
from rc_pipeline.training.run import train
from rc_pipeline.worker import Progress, write_outcome

# Processes that have parted cannot meet again.
parallel.leave = lambda group: None

class Mortal(Progress):
    killed_at = None

    def __call__(self, done, total, **figures):
        if done == self.killed_at and os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGKILL)

for spec in json.load(open(sys.argv[1])):
    progress = Mortal("training", lambda _: None)
    progress.killed_at = spec.pop("killed_at", None)
    outcome = train(spec, progress)
    if os.environ["RANK"] == "0":
        write_outcome(Path(spec["out"]), outcome)
"""


def in_two_processes(specs: list[dict[str, Any]], folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train_each.py").write_text(TRAIN_EACH)
    (folder / "specs.json").write_text(json.dumps(specs))
    command = [sys.executable, "-m", "rc_pipeline.torchrun", "2", "train_each", str(folder / "specs.json")]
    path = f"{folder}:{PROJECT}"
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, cwd=PROJECT, timeout=240).returncode


def losses(spec: dict[str, Any]) -> list[float]:
    lines = (Path(spec["out"]) / "_log.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def weights(spec: dict[str, Any]) -> dict[str, torch.Tensor]:
    adapter = Path(spec["out"]) / "adapter_model.safetensors"
    return load_file(adapter if adapter.exists() else Path(spec["out"]) / "model.safetensors")


def assert_same_training(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert losses(other) == pytest.approx(losses(one), abs=1e-5)
    torch.testing.assert_close(weights(other), weights(one), atol=1e-5, rtol=0)


SETTINGS: dict[str, dict[str, Any]] = {
    "lora": {},
    "qlora": {"method": "qlora"},
    "full": {"method": "full", "learning_rate": 1e-3},
    "watched": {"eval_share": 0.25, "patience": 1, "learning_rate": 0.05, "epochs": 6.0},
    "narrow": {"batch_size": 9},
    "recomputed": {"gradient_checkpointing": True, "packing": True, "loss_on": "everything"},
}
OTHER_FAMILIES = ("gpt2", "glm", "t5")
SPREAD = ("lora", "full", "watched", "recomputed", "narrow")
NARROW = 70


@pytest.fixture(scope="module")
def trainings(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    """Every setting trained alone, in two processes, and spread over two processes."""
    folder = tmp_path_factory.mktemp("trainings")
    specs = {
        (name, how): training_spec(llama, folder / name / how, instructions(ROWS), **tune)
        for name, tune in SETTINGS.items()
        for how in ("alone", "two", *(("spread",) if name in SPREAD else ()))
    }
    noisy = {"neftune_alpha": 5.0, "dropout": 0.2}
    specs |= {
        ("noisy", how): training_spec(llama, folder / "noisy" / how, instructions(ROWS), **noisy)
        for how in ("two", "spread")
    }
    for family in OTHER_FAMILIES:
        model = folder / "models" / family
        base = write_flan_t5(model).folder if family == "t5" else write_model(model, family)
        specs |= {
            (family, how): training_spec(base, folder / family / how, instructions(9)) for how in ("two", "spread")
        }
    for (name, how), spec in specs.items():
        spec["sharded"] = how == "spread"
        if name == "narrow":
            # So few tokens at a time that a batch takes several passes, and not as many in each process.
            Path(spec["scratch"]).mkdir(parents=True)
            Checkpoints(Path(spec["scratch"]), "").remember_tokens(NARROW)
        if how == "alone":
            train(spec, Progress("training", [].append))
    assert in_two_processes([spec for (_, how), spec in specs.items() if how != "alone"], folder) == 0
    return specs


@pytest.mark.parametrize("name", SETTINGS)
def test_two_processes_train_as_one_does(name: str, trainings: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert_same_training(trainings[name, "alone"], trainings[name, "two"])


@pytest.mark.parametrize("name", SPREAD)
def test_a_model_spread_over_two_processes_trains_as_a_whole_one(
    name: str, trainings: dict[tuple[str, str], dict[str, Any]]
) -> None:
    assert_same_training(trainings[name, "alone"], trainings[name, "spread"])


@pytest.mark.parametrize("family", OTHER_FAMILIES)
def test_models_of_every_family_can_be_spread(family: str, trainings: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert_same_training(trainings[family, "two"], trainings[family, "spread"])


def test_noise_is_the_same_wherever_a_pass_is_computed(trainings: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert_same_training(trainings["noisy", "two"], trainings["noisy", "spread"])
    assert losses(trainings["noisy", "two"]) != losses(trainings["lora", "two"])


def test_every_training_passes_its_checks_and_stops_where_the_others_do(
    trainings: dict[tuple[str, str], dict[str, Any]],
) -> None:
    outcomes = {
        each: json.loads((Path(spec["out"]) / "_outcome.json").read_text())
        for each, spec in trainings.items()
        if each[1] != "alone"
    }

    for outcome in outcomes.values():
        checks = {check["name"]: check["passed"] for check in outcome["checks"]}
        assert len(checks) == 4
        assert all(checks.values())
    assert outcomes["watched", "two"]["metadata"]["steps"] == outcomes["watched", "spread"]["metadata"]["steps"] < 30


@pytest.mark.slow
def test_a_group_that_lost_a_process_goes_on_to_the_same_bytes(llama: Path, tmp_path: Path) -> None:
    specs = {
        (how, what): training_spec(llama, tmp_path / how / what, instructions(ROWS), method="full", learning_rate=1e-3)
        | {"sharded": how == "spread", "checkpoint_steps": 3}
        for how in ("whole", "spread")
        for what in ("unbroken", "killed", "alone")
    }
    for how in ("whole", "spread"):
        killed, alone = specs[how, "killed"], specs[how, "alone"]
        assert in_two_processes([killed | {"killed_at": 5}], tmp_path) == -signal.SIGKILL
        left = sorted(path.name for path in Path(killed["scratch"]).glob("*.safetensors"))
        assert left == ["checkpoint-00000003.safetensors"]
        shutil.copytree(killed["scratch"], alone["scratch"])

    assert in_two_processes([spec for (_, what), spec in specs.items() if what != "alone"], tmp_path) == 0

    for how in ("whole", "spread"):
        unbroken, killed, alone = (specs[how, what] for what in ("unbroken", "killed", "alone"))
        files = [Path(spec["out"]) / "model.safetensors" for spec in (unbroken, killed)]
        assert files[0].read_bytes() == files[1].read_bytes()
        # A checkpoint of two processes is one of one.
        assert train(alone, Progress("training", [].append)).metadata["resumed_at_step"] == 3
        torch.testing.assert_close(weights(alone), weights(unbroken), atol=1e-5, rtol=0)


def test_the_processes_compute_every_row_of_a_batch_once() -> None:
    lengths = [30, 10, 20, 25, 15, 40, 35]
    batch = [6, 2, 0, 1, 5]

    parts = [Group(rank, 2).passes(batch, lengths, 60) for rank in range(2)]

    assert sorted(row for own in parts for part in own for row in part) == sorted(batch)
    assert parts == [[[1, 0], [5]], [[2], [6]]]


def test_a_process_with_fewer_parts_takes_part_in_every_pass_of_a_spread_model() -> None:
    lengths = [10, 10, 10]

    parts = [Group(rank, 2, sharded=True).passes([0, 1, 2], lengths, 10) for rank in range(2)]

    assert parts == [[[0], [2]], [[1], []]]
    assert Group(1, 2).passes([0], lengths, 10) == []


def test_gradients_travel_in_large_messages_of_one_kind() -> None:
    small, other, large = torch.zeros(10), torch.zeros(5, dtype=torch.bfloat16), torch.zeros(2**24)

    assert [len(bucket) for bucket in _buckets([small, small, other, small, large, large])] == [2, 1, 1, 1, 1]


def test_want_of_memory_in_a_spread_model_is_remembered_for_the_next_start(llama: Path, tmp_path: Path) -> None:
    spec = training_spec(llama, tmp_path, instructions(8))
    trainer = trainer_of(spec, tmp_path)
    trainer.group = Group(0, 2, sharded=True)

    with pytest.raises(OutOfMemory, match=r"step 1\..*Start it again: it goes on with \d+ tokens"):
        trainer._take_fewer_at_a_time(0, [[0, 1], []], print)

    fewer = Checkpoints(tmp_path, "me").remembered_tokens()
    assert fewer == max(trainer.lengths[:2])
    assert trainer_of(spec, tmp_path).micro_batch_tokens == fewer


def test_what_one_process_holds_whole_stays_as_it_is() -> None:
    tensor = torch.arange(4.0)

    assert whole(tensor) is tensor
    assert torch.equal(own_part(tensor, torch.zeros(4)), tensor)
