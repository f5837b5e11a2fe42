"""What goes wrong around a training: kills in the middle of a checkpoint, full disks, weights that blow up."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rc_pipeline.lake.code import PROJECT
from rc_pipeline.training.checkpoints import Checkpoints, sweep
from rc_pipeline.training.loop import TrainingDiverged
from rc_pipeline.training.run import train
from rc_pipeline.worker import ERROR_FILE, Progress, read_error
from tests.models.tiny_models import instructions, training_spec
from tests.training.test_run import content, run

# Saves a second checkpoint in one process after the other, each killed one system call later than the one before.
KILLED_WHILE_SAVING = """
import os, signal, sys
from pathlib import Path
import torch
from rc_pipeline.training.checkpoints import Checkpoint, Checkpoints

def save(folder, step):
    tensors = {f"weight.{name}": torch.full((64, 64), float(step)) for name in "abcd"}
    Checkpoints(folder, "me").save(Checkpoint(step, tensors, [1.0] * step))

def save_until(folder, moment):
    seen = 0

    def count(frame, event, argument):
        nonlocal seen
        seen += event == "c_call" and argument.__name__ in ("open", "write", "flush", "fsync", "replace", "unlink")
        if seen > moment:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    save(folder, 3)
    os._exit(0)

moment = 0
while True:
    folder = Path(sys.argv[1]) / f"{moment:03}"
    folder.mkdir()
    save(folder, 1)
    save(folder, 2)
    child = os.fork()
    if child == 0:
        save_until(folder, moment)
    if os.waitpid(child, 0)[1] == 0:
        break
    moment += 1
"""


def test_a_kill_at_any_moment_of_a_save_costs_at_most_the_steps_since_the_one_before(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED_WHILE_SAVING, str(tmp_path)], check=True, cwd=PROJECT)

    found = []
    for folder in sorted(tmp_path.iterdir()):
        sweep(folder)
        checkpoint, passed_over = Checkpoints(folder, "me").latest()
        assert checkpoint is not None
        assert passed_over == []
        assert all((tensor == checkpoint.step).all() for tensor in checkpoint.tensors.values())
        assert not list(folder.glob(".*"))
        found.append(checkpoint.step)
    # Killed at first, it is the one before; whole in the end, the new one; never anything else.
    assert len(found) > 10
    assert found == sorted(found)
    assert set(found) == {2, 3}


KILLED_IN_THE_SECOND_CHECKPOINT = """
import json, os, signal, sys
from rc_pipeline.training import checkpoints
from rc_pipeline.training.run import train
from rc_pipeline.worker import Progress

whole, written = checkpoints.Checkpoints._pieces, []

def pieces(self, checkpoint, tensors):
    for number, piece in enumerate(whole(self, checkpoint, tensors)):
        if written and number == 9:
            os.kill(os.getpid(), signal.SIGKILL)
        yield piece
    written.append(checkpoint.step)

checkpoints.Checkpoints._pieces = pieces
train(json.load(open(sys.argv[1])), Progress("training"))
"""


def test_a_run_killed_while_it_wrote_a_checkpoint_goes_on_to_the_bytes_of_an_unbroken_one(
    llama: Path, tmp_path: Path
) -> None:
    unbroken, killed = (training_spec(llama, tmp_path / name, instructions(48)) for name in ("unbroken", "killed"))
    killed["checkpoint_steps"] = 4
    (tmp_path / "spec.json").write_text(json.dumps(killed))

    command = [sys.executable, "-c", KILLED_IN_THE_SECOND_CHECKPOINT, str(tmp_path / "spec.json")]
    assert subprocess.run(command, cwd=PROJECT, capture_output=True).returncode == -9
    half_written = list(Path(killed["scratch"]).glob(".checkpoint-*"))
    outcome = run(killed)
    run(unbroken)

    assert len(half_written) == 1
    assert outcome.metadata["resumed_at_step"] == 4
    assert content(killed) == content(unbroken)
    assert not half_written[0].exists()


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Have the kernel refuse what is written beyond a size, as a quota does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_checkpoint_that_the_disk_refuses_stops_nothing(llama: Path, tmp_path: Path) -> None:
    unhindered, refused = (training_spec(llama, tmp_path / name, instructions(48)) for name in ("free", "refused"))
    refused["checkpoint_steps"] = 4
    said: list[str] = []

    # An adapter fits, a checkpoint with two moments for each weight does not.
    with files_no_larger_than(50_000):
        outcome = run(refused, said)
    run(unhindered)

    assert any("no checkpoint of step 4 (" in line and "none was written yet" in line for line in said)
    assert list(Path(refused["scratch"]).iterdir()) == []
    assert all(check.passed for check in outcome.checks)
    assert content(refused) == content(unhindered)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with room for one checkpoint of the tiny model, and no second one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a tmpfs needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=False)


def test_a_disk_that_fills_up_keeps_the_last_good_checkpoint(llama: Path, tmp_path: Path, small_disk: Path) -> None:
    spec = training_spec(llama, tmp_path, instructions(48)) | {"scratch": str(small_disk), "checkpoint_steps": 4}
    said: list[str] = []

    run(spec, said)
    whole = content(spec)
    again = run(spec, said)

    assert any("No space left" in line and "checkpoint-00000004" in line for line in said)
    assert sorted(path.suffix for path in small_disk.iterdir()) == [".json", ".safetensors"]
    assert again.metadata["resumed_at_step"] == 4
    assert content(spec) == whole


def test_a_full_disk_under_the_output_is_named_by_the_command(llama: Path, tmp_path: Path, small_disk: Path) -> None:
    spec = training_spec(llama, tmp_path, instructions(8)) | {"out": str(small_disk)}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    (small_disk / "filler").write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096 - 4096))

    done = subprocess.run(
        [sys.executable, "-m", "rc_pipeline.training", str(tmp_path / "spec.json")], cwd=PROJECT, capture_output=True
    )

    assert done.returncode == 1
    assert "No space left on device" in read_error(small_disk, tmp_path)
    assert (tmp_path / ERROR_FILE).exists() or (small_disk / ERROR_FILE).exists()


def test_a_run_that_diverges_keeps_its_last_good_checkpoint(llama: Path, tmp_path: Path) -> None:
    spec: dict[str, Any] = training_spec(llama, tmp_path, instructions(48), learning_rate=1e30, warmup=0.0)
    spec["checkpoint_steps"] = 1
    said: list[str] = []

    with pytest.raises(TrainingDiverged):
        run(spec)
    kept = sorted(path.name for path in Path(spec["scratch"]).glob("*.safetensors"))
    with pytest.raises(TrainingDiverged, match=kept[-1]):
        train(spec, Progress("training", said.append))

    assert any("goes on after step" in line for line in said)
    assert kept == sorted(path.name for path in Path(spec["scratch"]).glob("*.safetensors"))
